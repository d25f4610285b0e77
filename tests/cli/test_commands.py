"""The list of commands: short, whole, and cheap to ask for."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import msgspec
import pytest
import typer

from gateway.cli.command_line import typed_command
from gateway.cli.listing import COMMANDS, GROUPS, Listed
from gateway.cli.local.processes import without_slipgate
from gateway.cli.main import main

COLUMNS_OF_HELP = 62
"""Of 80, after the longest name of a command and two gaps."""


@pytest.mark.parametrize("listed", COMMANDS, ids=lambda listed: listed.name)
def test_a_listed_command_is_where_the_list_says(listed: Listed) -> None:
    found = getattr(import_module(listed.module), listed.attribute)
    assert isinstance(found, typer.Typer) == listed.is_group
    assert len(listed.help) <= COLUMNS_OF_HELP
    assert listed.help[0].isupper()
    assert listed.help.endswith(".")


def functions(listed: Listed) -> list[Callable[..., object]]:
    """The function of a command, or those of a group."""
    found = getattr(import_module(listed.module), listed.attribute)
    if not listed.is_group:
        return [found]
    return [info.callback for info in found.registered_commands if info.callback is not None]


@pytest.mark.parametrize(
    "listed",
    [listed for listed in COMMANDS if listed.name in {"tasks", "deliveries", "bundle", "snapshot"}]
    + [listed for listed in COMMANDS if not listed.is_group],
    ids=lambda listed: listed.name,
)
def test_a_command_has_two_examples(listed: Listed) -> None:
    for function in functions(listed):
        text = function.__doc__ or ""
        assert text.count("slipgate ") >= 2, function
        assert "Example" in text, function


def test_help_names_every_command_and_cuts_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for listed in COMMANDS:
        assert listed.help in printed
    for title in GROUPS:
        assert f"\n{title}:\n" in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("word", "unneeded"),
    [
        ("--help", "httpx starlette aiosqlite cryptography gateway.domain.decide"),
        ("gateway", "typer jinja2 markdown_it sse_starlette certifi prometheus_client"),
    ],
)
def test_a_start_imports_only_what_it_needs(word: str, unneeded: str) -> None:
    script = (
        "import sys\n"
        "from gateway.cli.main import main\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, of: seen.append(of[0]) if event == 'import' else None)\n"
        f"main([{word!r}])\n"
        "seen.append('gateway.cli.console.failures')\n"  # here a gateway has no settings
        "started = seen[:seen.index('gateway.cli.console.failures')]\n"
        f"print({set(unneeded.split())} & set(started) or 'none', 'asyncio' in started)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=without_slipgate(), capture_output=True, check=False)
    assert done.stdout.split()[-2:] == [b"none", str(word == "gateway").encode()], done


@pytest.mark.parametrize(
    ("words", "message", "help_of"),
    [
        ("taks list", "No such command 'taks'. Did you mean 'tasks', 'status'?", ""),
        ("keys create --foo", "There is no option --foo.", " keys create"),
        ("tasks list --limt=3", "There is no option --limt. Did you mean --limit?", " tasks list"),
        (
            "keys create --name=me",
            "--scope is missing: give one of tasks, read, launcher, ops.",
            " keys create",
        ),
        ("launchers drain --reason=x", "ID is missing.", " launchers drain"),
        (
            "keys create --name=me --scope=all",
            "--scope: 'all' is not one of 'tasks', 'read', 'launcher', 'ops'.",
            " keys create",
        ),
        ("doctor --bogus", "There is no option --bogus.", " doctor"),
        ("snapshot check --bogus", "There is no option --bogus.", " snapshot check"),
        ("keys list extra", "Got unexpected extra argument(s) (extra)", " keys list"),
    ],
    ids=lambda text: text.strip() or "all",
)
def test_a_usage_error_says_what_would_be_right(
    words: str, message: str, help_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    following = f"Try `slipgate{help_of} -h` for help."
    assert main(words.split()) == 2
    assert capsys.readouterr().err == f"error: {message}\nnext:  {following}\n"
    assert main([*words.split(), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    told = msgspec.json.decode(printed.err)
    assert told == {"code": "usage", "message": message, "next": following}


def test_a_group_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 2
    assert "Usage: slipgate tasks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], None),
        (["--version"], None),
        (["--url", "http://gate", "--profile=x", "tasks", "list"], "tasks"),
    ],
    ids=["none", "an option", "behind options"],
)
def test_the_command_stands_behind_the_options_of_all_commands(
    words: list[str], command: str | None
) -> None:
    assert typed_command(words) == command


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["help"], "Start:"),
        (["help", "tasks", "show"], "slipgate tasks show"),
        (["tasks", "show", "-h"], "slipgate tasks show"),
        (["version"], "slipgate 0."),
        (["version", "--json"], '"version": "0.'),
        (["completion", "bash"], "complete -o default -F _slipgate_completion slipgate"),
        (["completion", "zsh"], "#compdef slipgate"),
        (["completion", "fish"], "complete --command slipgate"),
    ],
    ids=" ".join,
)
def test_a_command_about_the_command_line(
    words: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("slipgate ta", {"tasks"}),
        ("slipgate tasks li", {"list"}),
        ("slipgate sweep --dr", {"--dry-run"}),
        ("slipgate snapshot ", {"build", "push", "check", "image"}),
        ("slipgate doctor --l", {"--live"}),
    ],
    ids=["a command", "within a group", "an option", "of a snapshot", "of the doctor"],
)
def test_a_shell_completes(
    line: str,
    completions: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_SLIPGATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line.replace(" ", "\n"))
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    assert main([]) == 0
    assert set(capsys.readouterr().out.split()) == completions
