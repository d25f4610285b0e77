"""The list of commands: short, whole, and cheap to ask for."""

import subprocess
import sys
from importlib import import_module

import pytest
import typer

from gateway.cli.main import COMMANDS, Listed, main

COLUMNS_OF_HELP = 62
"""Of 80, after the longest name of a command and two gaps."""


@pytest.mark.parametrize("listed", COMMANDS, ids=lambda listed: listed.name)
def test_a_listed_command_is_where_the_list_says(listed: Listed) -> None:
    found = getattr(import_module(listed.module), listed.name)
    assert isinstance(found, typer.Typer) == listed.is_group
    assert len(listed.help) <= COLUMNS_OF_HELP
    assert listed.help[0].isupper()
    assert listed.help.endswith(".")


def test_help_names_every_command_and_cuts_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for listed in COMMANDS:
        assert listed.help in printed


def test_help_imports_neither_the_server_nor_a_client() -> None:
    script = (
        "import sys\n"
        "from gateway.cli.main import main\n"
        "main(['--help'])\n"
        "heavy = {'httpx', 'starlette', 'aiosqlite', 'cryptography', 'gateway.domain.decide'}\n"
        "sys.exit(repr(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_command_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taks", "list"]) == 2
    assert "tasks" in capsys.readouterr().err
