"""The status of one check: `passed` only if a test tool ran and its own words say so."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from ..agent.command import CommandResult
from ..agent.reaper import CANNOT_RUN, NOT_FOUND
from ..reporting.events import Status
from ..text import printable
from . import tools
from .plan import Command
from .results import counts_failures
from .scripts import UNKNOWN

NO_TEST: Final = "no test ran"
NOT_INSTALLED: Final = "is not installed"
UNCOUNTED: Final = "exit code 0; its output counts no tests"
FIRST_LINES: Final = 4
LAST_LINES: Final = 12
"""Of an output, in which a tool names the reason of its end; maven adds seven of advice."""
_BROKEN: Final = re.compile(r"(?m)^[ \t]*(?:FAIL|FAILED|--- FAIL|ERROR|error|Error)\b(?! code)")
"""A line of a tool that found more to say than that there is no test."""
_NOT_FOUND: Final = (
    re.compile(r"(?m)(?:^|: )(?:line )?(?:\d+: )?([\w./+-]+): (?:command )?not found$"),
    re.compile(
        r"(?m)^make(?:\[\d+\])?: ([\w./+-]+): (?:No such file or directory|Permission denied)$",
    ),
    re.compile(r"(?m)env: [\u2018'\"]?([\w./+-]+)[\u2019'\"]?: No such file or directory$"),
    re.compile(r"could not choose a version of ([\w-]+) to run"),
    re.compile(r"No version is set for (?:command|shim):? ([\w.-]+)"),
    re.compile(r"you may need to install the ([\w:]+) module"),
    re.compile(r"cannot load such file -- ([a-z][\w-]*)"),
    re.compile(r"Could not (?:find|transfer) artifact ([\w.:-]+)"),
    re.compile(r"Could not resolve ([\w.-]+:[\w.-]+:[\w.-]+)"),
    re.compile(r"(?:[Cc]annot find|[Cc]ould not find|[Nn]o binary for) (Chrom(?:e|ium))"),
    re.compile(r"(?m)\bNo module named ['\"]?(pytest|tox|nox|unittest|django)['\"]?$"),
)

Verdict = tuple[Status, str]
"""The status, and its reason where one is needed."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The findings about a check that ran."""

    ran: int | None
    """The number of tests; None: nothing counts them."""
    script: str | None = None
    """The commands that it comes down to; None: it is a program of its own."""
    missing: Sequence[str] = ()
    """Programs of languages that are there and cannot be run."""


def judge(command: Command, result: CommandResult, evidence: Evidence) -> Verdict:
    """Judge a check that ran."""
    script = evidence.script
    if result.is_timed_out:
        return "timed_out", f"stopped after {result.seconds:.0f} s"
    if result.exit_code:
        return _of_failure(result.exit_code, printable(result.output), evidence.ran)
    if script is not None and tools.is_trivial(script):
        return "not_run", f"{NO_TEST}: it runs nothing but {_first_line(script)}"
    if evidence.ran and counts_failures(printable(result.output)):
        return "failed", "exit code 0, but its output counts tests that failed"
    if evidence.ran:
        return "passed", ""
    if evidence.ran == 0:
        return "not_run", NO_TEST
    return _without_count(command, script, evidence.missing)


def _without_count(command: Command, script: str | None, missing: Sequence[str]) -> Verdict:
    """The verdict on an exit code of 0 where nothing counts tests."""
    if script is not None and missing:
        return "not_run", f"{missing[0]} {NOT_INSTALLED}"
    if not command.must_count:
        return "passed", ""
    if script is None or script == UNKNOWN or tools.is_counted(script):
        return "not_run", f"{NO_TEST}: its output counts none"
    if tools.is_untested(script):
        return "not_run", f"{NO_TEST}: it runs nothing but {_first_line(script)}"
    return "passed", UNCOUNTED


def _of_failure(code: int, output: str, ran: int | None) -> Verdict:
    program = _missing_program(output)
    if program and (code in {CANNOT_RUN, NOT_FOUND} or _is_reason(program, output, ran)):
        return "not_run", f"{program} {NOT_INSTALLED}"
    if ran == 0 and not _BROKEN.search(output):
        return "not_run", NO_TEST
    return "failed", "a program it needs is not installed" if code == NOT_FOUND else ""


def _missing_program(output: str) -> str:
    """The program or library that the output says is not there; empty if none."""
    for pattern in _NOT_FOUND:
        if found := pattern.search(output):
            return found[1].rpartition("/")[2] if found[1].startswith("/") else found[1]
    return ""


def _is_reason(program: str, output: str, ran: int | None) -> bool:
    """True if the missing program is the reason of the end: no test tool counts tests."""
    lines = output.strip().splitlines()
    return program in "\n".join(lines[:FIRST_LINES] + lines[-LAST_LINES:]) and not ran


def _first_line(script: str) -> str:
    line = next(iter(tools.simple_commands(script)), "nothing")
    return f"`{line[:80]}`"
