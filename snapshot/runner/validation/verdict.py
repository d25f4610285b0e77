"""The status of one check: `passed` only if a test tool ran and its own words say so."""

import re
from collections.abc import Sequence
from typing import Final

from ..agent.command import CommandResult
from ..agent.reaper import CANNOT_RUN, NOT_FOUND
from ..reporting.events import Status
from ..text import printable
from . import results, tools
from .plan import Command

NO_TEST: Final = "no test ran"
_BROKEN: Final = re.compile(r"(?m)^(?:FAIL|FAILED|--- FAIL|ERROR|error|Error)\b(?! code)")
"""A line of a tool that found more to say than that there is no test."""
_NOT_FOUND: Final = (
    re.compile(r"(?m)(?:^|: )(?:line )?(?:\d+: )?([\w./+-]+): (?:command )?not found$"),
    re.compile(
        r"(?m)^make(?:\[\d+\])?: ([\w./+-]+): (?:No such file or directory|Permission denied)$",
    ),
    re.compile(r"(?m)env: [\u2018'\"]?([\w./+-]+)[\u2019'\"]?: No such file or directory$"),
    re.compile(r"(?m)\bNo module named ['\"]?(pytest|tox|nox|unittest|django)['\"]?$"),
)

Verdict = tuple[Status, str]
"""The status, and its reason where one is needed."""


def judge(
    command: Command, result: CommandResult, *, script: str | None, missing: Sequence[str]
) -> Verdict:
    """Judge a check that ran; `script` is what its wrapper runs, `missing` are programs of
    languages that are there."""
    output = printable(result.output)
    if result.is_timed_out:
        return "timed_out", f"stopped after {result.seconds:.0f} s"
    if result.exit_code:
        return _of_failure(result.exit_code, output)
    if script is not None and tools.is_trivial(script):
        return "not_run", f"{NO_TEST}: it runs nothing but {_first_line(script)}"
    ran = results.number_ran(output)
    if ran:
        return "passed", ""
    if ran == 0:
        return "not_run", NO_TEST
    return _without_count(command, script, missing)


def _without_count(command: Command, script: str | None, missing: Sequence[str]) -> Verdict:
    """The verdict on an exit code of 0 without any test tool's words."""
    is_wrapper = script is not None
    if is_wrapper and missing:
        return "not_run", f"{missing[0]} is not installed"
    if command.must_count and not is_wrapper:
        return "not_run", f"{NO_TEST}: its output counts none"
    if is_wrapper:
        return "passed", "exit code 0; its output counts no tests"
    return "passed", ""


def _of_failure(code: int, output: str) -> Verdict:
    program = missing_program(output)
    if program and (code in {CANNOT_RUN, NOT_FOUND} or is_last_word(program, output)):
        return "not_run", f"{program} is not installed"
    if results.found_none(output) and not _BROKEN.search(output):
        return "not_run", NO_TEST
    return "failed", "a program it needs is not installed" if code == NOT_FOUND else ""


def missing_program(output: str) -> str:
    """The program that a shell, make or env could not find; empty if there is none."""
    for pattern in _NOT_FOUND:
        if found := pattern.search(output):
            return found[1].rpartition("/")[2] if found[1].startswith("/") else found[1]
    return ""


def is_last_word(program: str, output: str) -> bool:
    """True if the missing program is the reason of the end: no test tool had its say before."""
    ending = "\n".join(output.rstrip().splitlines()[-4:])
    return program in ending and not results.number_ran(output)


def _first_line(script: str) -> str:
    line = next(iter(tools.simple_commands(script)), "nothing")
    return f"`{line[:80]}`"
