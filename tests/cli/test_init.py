"""`slipgate init`: asks or takes options, writes private files, repairs and never duplicates."""

import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.init.questions import PROVIDERS
from gateway.cli.local.env_files import read_env_file
from gateway.cli.local.processes import programs
from gateway.cli.local.state import STATE
from gateway.cli.main import main
from gateway.cli.operations.minting import callback_secret_of
from gateway.settings import read_settings
from gateway.store.administration import open_operator
from launcher.settings import PROVIDERS as OF_LAUNCHER
from launcher.settings import read_settings as read_launcher
from tests.cli.test_dev import terminal
from tests.cli.test_up import bare
from tests.docker.cli import install as install_docker
from tests.forks.children import forked_programs
from tests.forks.programs import slipgate

ELSEWHERE = "SLIPGATE_DATABASE_URL=sqlite:///elsewhere.db\n"
"""A database that `up` does not run: nothing is started."""
FILES = (".env.gateway", ".env.launcher", ".env.frontend")


def files(folder: Path) -> list[dict[str, str]]:
    return [read_env_file(folder / name) for name in FILES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A git work tree whose database is not that of `up`, in which programs are forks."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".env.gateway").write_text(f"# mine\n{ELSEWHERE}")
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(bare()):
        monkeypatch.delenv(name)
    before = programs.set(forked_programs())
    yield tmp_path
    programs.reset(before)


def test_options_and_the_environment_answer_everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYTONA_API_KEY", "dtn_key")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-'no")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp token$x")
    words = ["init", "--provider=daytona", "--public-url=https://gate.example", "--no-build"]
    assert main([*words, "--yes"]) == 1  # a quote cannot stand in a file
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-old")
    assert main([*words, "--yes"]) == 0
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://models.example")
    assert main([*words, "--yes"]) == 0
    gateway, launcher, frontend = files(folder)
    assert read_settings(gateway).public_url == "https://gate.example"
    assert read_launcher(launcher).providers == ("daytona-api",)
    assert (launcher["ANTHROPIC_API_KEY"], launcher["GITHUB_TOKEN"]) == ("sk-ant", "ghp token$x")
    assert frontend["SLIPGATE_URL"] == launcher["SLIPGATE_URL"] == "https://gate.example"
    secret = callback_secret_of(gateway, frontend["SLIPGATE_API_KEY"])
    assert frontend["SLIPGATE_WEBHOOK_SECRET"] == secret
    assert "OPENAI_API_KEY" not in launcher
    assert read_launcher(launcher).forwarded_env["ANTHROPIC_BASE_URL"] == "https://models.example"


@pytest.mark.parametrize("repo", ["widgets", "file:///srv/widgets.git"])
def test_a_repository_that_the_gateway_would_refuse_changes_nothing(
    folder: Path, repo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--provider=docker", f"--repo={repo}", "--yes"]) == 2
    assert "--repo: " in capsys.readouterr().err
    assert not (folder / ".env.launcher").exists()


def test_a_second_run_keeps_all_and_repairs_what_is_broken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--provider=docker", "--no-build", "--yes"]) == 0
    before, keys = files(folder), len(all_keys(folder))
    assert "add OPENAI_API_KEY=… to .env.launcher" in capsys.readouterr().out
    assert main(["init", "--no-build", "--yes"]) == 0
    assert (files(folder), len(all_keys(folder))) == (before, keys)
    assert (folder / ".env.gateway").read_text().startswith("# mine\n")
    frontend = folder / ".env.frontend"
    mine = frontend.read_text().replace("APP_URL=http://localhost:3000", "APP_URL=https://mine")
    frontend.write_text(mine.replace(before[2]["SLIPGATE_API_KEY"], f"slip_tasks_{'x' * 43}"))
    with closing(sqlite3.connect(folder / "elsewhere.db")) as database, database:
        database.execute("UPDATE api_keys SET expires_at = 1 WHERE scope = 'launcher'")
    assert main(["init", "--provider=local", "--yes"]) == 0
    _, launcher, after = files(folder)
    assert after["APP_URL"] == "https://mine"
    assert after["SLIPGATE_WEBHOOK_SECRET"] == before[2]["SLIPGATE_WEBHOOK_SECRET"]
    assert after["SLIPGATE_API_KEY"] != f"slip_tasks_{'x' * 43}"
    assert launcher["SLIPGATE_PROVIDERS"] == "local"  # an option replaces what is there
    assert launcher["SLIPGATE_API_KEY"] != before[1]["SLIPGATE_API_KEY"], "that has expired"
    assert len(all_keys(folder)) == keys + 2


def test_docker_builds_the_image_where_it_is_and_is_missed_where_it_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tools = folder / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    assert main(["init", "--provider=docker", "--yes"]) == 1
    assert "Install docker's CLI on the launcher's PATH" in capfd.readouterr().err
    _, daemon = install_docker(tools)
    for note in ("was built now", "was there already"):
        assert main(["init", "--yes"]) == 0
        assert f"slipgate-agent-1 {note}" in capfd.readouterr().out
    assert daemon.image_folder("slipgate-agent-1") is not None


def all_keys(folder: Path) -> list[str]:
    with open_operator(folder / "elsewhere.db") as operator:
        return [key.id for key in operator.all_keys()]


def test_nobody_else_reads_the_files_and_git_takes_none(folder: Path) -> None:
    assert main(["init", "--provider=docker", "--no-build", "--yes"]) == 0
    for name in FILES:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert not any(name in status for name in (*FILES, str(STATE)))
    ignored = (folder / ".gitignore").read_text()
    assert main(["init", "--no-build", "--yes"]) == 0
    assert (folder / ".gitignore").read_text() == ignored


def test_without_a_terminal_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    environ = {**bare(), "HOME": str(tmp_path)}
    done = subprocess_in(tmp_path, environ, "init", "--provider=github-actions")
    told = done.stderr.decode()
    assert done.returncode == 2
    wanted = [question.name for question in PROVIDERS["github-actions"].questions]
    assert all(f"{name} in the environment" in told for name in wanted), told
    done = subprocess_in(tmp_path, environ, "init")
    assert "--provider local|docker" in done.stderr.decode()
    assert "SLIPGATE_LOCAL_UNCONFINED=true" in done.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def subprocess_in(
    folder: Path, environ: dict[str, str], *words: str
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [slipgate(), *words],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_person_is_asked_and_secrets_are_not_shown(folder: Path) -> None:
    with terminal("init", "--provider=local", folder=folder, environ={}, exit_code=1) as screen:
        screen.shows("which is no sandbox")
        screen.presses("n\n")
        screen.shows("Nothing was set up")
        screen.ends()
    with terminal("init", folder=folder, environ={}) as screen:
        screen.shows("Provider [local]:")
        screen.presses("nowhere\n")
        screen.shows("there are: local, docker, daytona, kubernetes, github-actions")
        screen.presses("local\n")
        screen.shows("which is no sandbox")
        screen.presses("y\n")
        screen.shows("Model provider [openai]:")
        screen.presses("google\n")
        screen.shows("brings its own): ")
        screen.presses("gm-hush\n")
        screen.shows("no pull requests): ")
        screen.presses("\n")
        screen.shows("Repository of a first task")
        screen.presses("widgets\n")
        screen.shows("by its URL, not by a path")
        screen.presses("\n")
        shown = screen.shows("slipgate launcher --env-file=.env.launcher")
        screen.ends()
    assert "gm-hush" not in shown
    _, launcher, _ = files(folder)
    assert launcher["GEMINI_API_KEY"] == "gm-hush"
    assert launcher["SLIPGATE_LOCAL_UNCONFINED"] == "true"
    assert "GITHUB_TOKEN" not in launcher


def test_its_providers_are_those_of_the_launcher() -> None:
    assert {each.setting for each in PROVIDERS.values()} <= set(OF_LAUNCHER)
