"""Each command that the pages name exists, with each of its options."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

from gateway.cli.command_line import command_line
from tests.docs.samples import FILES, ROOT, Sample, in_language, inline

OTHERS: Final = {
    *("brew", "curl", "docker", "git", "kubectl", "make", "pip", "python3"),
    *("cp", "createdb", "createuser", "pg_dump", "pg_restore", "systemctl", "tr"),
}
"""Programs of others in the samples."""
PROGRAMS: Final = [sample for sample in in_language("sh") if sample.path]
SCRIPTS: Final = [sample for sample in in_language("sh") if not sample.path]
_SETTING: Final = re.compile(r"[A-Z_]+=.*")
_ENDS: Final = re.compile(r"[;&|()]+")


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a shell script, without the variables set before them."""
    for words in _lines(text.replace("\\\n", " ")):
        command: list[str] = []
        for word in (*words, ";"):
            if _ENDS.fullmatch(word):
                if command and command[0] != "export":
                    yield command
                command = []
            elif command or not _SETTING.fullmatch(word):
                command.append(word)


def _lines(text: str) -> Iterator[list[str]]:
    """The words of each line; a quotation may hold several lines."""
    begun = ""
    for line in text.splitlines():
        begun += f"{line}\n"
        lexer = shlex.shlex(begun, posix=True, punctuation_chars=";&|()")
        lexer.whitespace_split = True
        with suppress(ValueError):  # no closing quotation yet
            yield list(lexer)
            begun = ""


def found(arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that these arguments name, or a group, and the rest of them.

    Raises:
        KeyError: there is no such command.
    """
    command = _line(arguments[0])
    rest = list(arguments)
    while rest and hasattr(command, "commands") and not rest[0].startswith(("-", "…")):
        command = command.commands[rest.pop(0)]
    return command, rest


@cache
def _line(typed: str) -> Any:
    return get_command(command_line(typed))


def check(arguments: Sequence[str]) -> None:
    """Parse the arguments of `slipgate` as the command line does, and run nothing."""
    command, rest = found(arguments)
    assert not hasattr(command, "commands"), f"{arguments} is a group"
    command.make_context(arguments[0], rest)


@pytest.mark.parametrize("sample", SCRIPTS, ids=str)
def test_a_script_has_commands_that_exist(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("body.json", "key.txt", "saved.http", ".env.gateway", ".env.launcher"):
        (tmp_path / name).touch()
    subprocess.run(["sh", "-n"], input=sample.text, text=True, check=True)
    for path, *arguments in commands(sample.text):
        program = Path(path).name
        if program == "slipgate":
            check(arguments)
        elif program == "systemd-run":  # a command of ours stands behind its options
            check(arguments[arguments.index("/opt/slipgate/bin/slipgate") + 1 :])
        else:
            assert program in OTHERS | {"openssl", "cat"}
            assert program != "make" or arguments[0] in TARGETS


TARGETS: Final = set(re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_sentence_names_commands_and_options_that_exist(file: Path) -> None:
    for code in (token.content for token in inline(file) if token.type == "code_inline"):
        check_named(code)


def check_named(code: str) -> None:
    """Raises if a piece of code in a sentence names a command or an option that does not exist."""
    # Of `[--optional]` the option, of `one|another` the first.
    program, *arguments = re.sub(r"[\[\]]", "", code.partition("|")[0]).split() or [""]
    if program == "make" and arguments:
        assert arguments[0] in TARGETS, code
    if program == "slipgate" and arguments:
        command, rest = found(arguments)
        options = {name for option in command.params for name in option.opts}
        named = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert named <= options, code
