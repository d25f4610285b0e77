"""The whole product as real processes: the demo ends well through a kill -9 of the gateway.

The demo that is kept starts its programs as it does for a user, the others start forks.
"""

import os
import signal
import subprocess
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest

from gateway.cli.local.demo_run import DemoReport
from tests.forks.children import forking_slipgate
from tests.forks.programs import slipgate
from tests.snapshot.sandbox import search_path


def demo(tmp_path: Path) -> DemoReport:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    process = subprocess.Popen(
        [forking_slipgate(), "demo", "--json"],
        env={**environ, "TMPDIR": str(tmp_path), "PATH": search_path()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, error = process.communicate(timeout=100)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it stops its own children
            process.communicate(timeout=30)
    assert process.returncode == 0, error.decode()
    return msgspec.json.decode(output, type=DemoReport)


def living_with(word: str) -> list[Path]:
    """Processes whose environment holds this word."""
    return [file for file in Path("/proc").glob("[0-9]*/environ") if word in environ_of(file)]


def environ_of(file: Path) -> str:
    try:
        return file.read_bytes().decode(errors="replace")
    except OSError:  # it ended, or is somebody else's
        return ""


@pytest.mark.timeout(600)
def test_the_sample_is_mended_through_a_kill_and_no_webhook_is_lost(tmp_path: Path) -> None:
    report = demo(tmp_path)
    assert report.ok
    assert report.status == "completed"
    assert report.pr_url is not None
    assert (report.lost, report.pending) == (0, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's own, with one branch."""
    repository = tmp_path / "mine"
    repository.mkdir()
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
    committer = {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    (repository / "notes.txt").write_text("hello\n")
    for arguments in (
        ("init", "--quiet", "--initial-branch=trunk"),
        ("add", "notes.txt"),
        ("commit", "--quiet", "--message=Notes"),
    ):
        command = ["git", "-C", str(repository), *arguments]
        subprocess.run(command, check=True, env={**os.environ, **author, **committer}, timeout=30)
    return repository


@pytest.mark.timeout(600)
def test_any_repository_gets_a_pull_request_and_a_kept_demo_ends_on_sigterm_leaving_nothing(
    tmp_path: Path, repository: Path
) -> None:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    workdir = tmp_path / "room"
    workdir.mkdir()
    process = subprocess.Popen(
        [slipgate(), "demo", "--keep", f"--repo={repository}"],
        env={**environ, "TMPDIR": str(workdir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    told = list(takewhile(lambda line: b"It runs until" not in line, process.stdout))
    assert process.poll() is None, b"".join(told).decode()
    assert any(b"/pull/1)" in line for line in told), b"".join(told).decode()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert list(workdir.iterdir()) == []
    assert living_with(str(workdir)) == []
    branches = subprocess.run(
        ["git", "-C", str(repository), "branch", "--format=%(refname:short)"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    assert branches.stdout.split() == [b"trunk"]


def refused(folder: Path, *options: str, **variables: str) -> str:
    """The error of a demo that cannot end well."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    done = subprocess.run(
        [forking_slipgate(), "demo", *options],
        env={**environ, "TMPDIR": str(folder), "PATH": search_path(), **variables},
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr.decode()


@pytest.mark.timeout(300)
def test_a_demo_says_at_once_why_it_cannot_end_well(tmp_path: Path) -> None:
    assert "there is no git" in refused(tmp_path, PATH="/nowhere")
    assert list(tmp_path.iterdir()) == []
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "empty")], check=True)
    assert "The task ended failed" in refused(tmp_path, f"--repo={tmp_path / 'empty'}")
