"""Errors of the CLI, which has one exit code for everything: only the text distinguishes them.

An error of the API begins with the reason phrase of its status (`Bad Request: …`); any other is the
CLI's own, and leaves open whether the API has done what was asked.
"""

import re
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.wire.truncation import head_and_tail
from launcher.providers.daytona.errors import (
    MESSAGE_LENGTH,
    Area,
    api_error,
    command_failed,
    unanswered,
)
from launcher.providers.daytona.schema import ErrorBody
from launcher.providers.program import CommandResult
from launcher.providers.protocol import ErrorRule, ProviderError, find_rule

_FATAL: Final = re.compile(r'level=fatal msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))')
"""A message of one plain word (`EOF`, `Forbidden`) has no quotes."""
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r"}
_ESCAPED: Final = re.compile(r"\\(.)")
_NOISE: Final = re.compile(r'time="[^"]*" level=(warning|info|debug) ')
"""A CLI older than the API warns of that in nearly every run."""
ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HINT: Final = re.compile(
    r" - (run 'daytona login' to reauthenticate|check that your API key has sufficient "
    r"permissions for this action)$"
)
"""The CLI adds it to every 401 and 403, whatever their reason (v0.168 and later)."""
_STATE: Final = re.compile(r"(\S+) is not a valid (Sandbox|Snapshot)State")
_PHRASES: Final = {status.phrase: status.value for status in HTTPStatus if status.value >= 400}
_RULES: Final = (
    ErrorRule(r"no profiles found", "provider_auth", "Set DAYTONA_API_KEY and DAYTONA_API_URL."),
    ErrorRule(
        r"unknown (shorthand )?flag|unknown command",
        "provider_refused",
        "This release of the CLI does not know that; `slipgate doctor` shows what is needed.",
    ),
)


def cli_error(result: CommandResult, area: Area = "sandbox") -> ProviderError:
    """The error of a failed run."""
    if result.code is None:
        return unanswered("its CLI took too long")
    message = fatal_message(result)
    phrase, _, rest = _HINT.sub("", message).partition(": ")
    status = _PHRASES.get(phrase)
    return _own_error(message, area) if status is None else api_error(status, rest, area=area)


def exec_error(result: CommandResult) -> ProviderError:
    """The error of a failed `exec`: the CLI's own, or that of the command, whose exit code and
    output are then the CLI's."""
    is_its_own = result.code is None or _FATAL.search(result.err)
    return cli_error(result) if is_its_own else command_failed(result.code or 0, result.out)


def fatal_message(result: CommandResult) -> str:
    """The last fatal line, unescaped; else the last line, as printed to a terminal."""
    fatal = _FATAL.findall(result.err)
    if fatal:
        quoted, word = fatal[-1]
        return word or _ESCAPED.sub(lambda found: _CONTROL.get(found[1], found[1]), quoted)
    lines = ANSI.sub("", result.err).splitlines()
    shown = [line for line in lines if line.strip() and not _NOISE.match(line)]
    return shown[-1] if shown else f"exit code {result.code}"


def _raw_error(message: str, area: Area) -> ProviderError | None:
    """The API's error if the CLI prints its body: it does so if that names no reason phrase."""
    try:
        body = msgspec.json.decode(_HINT.sub("", message), type=ErrorBody)
    except msgspec.DecodeError:
        return None
    status = body.status_code
    known = isinstance(status, int) and status >= 400
    return api_error(status, body.text, area=area) if known else None


def _own_error(message: str, area: Area) -> ProviderError:
    if found := _STATE.search(message):
        what = f"its CLI does not know the {found[2].lower()}'s state `{found[1]}`"
        return unanswered(f"{what}. Install a newer release (v0.170 and later read any state)")
    if rule := find_rule(_RULES, message):
        return ProviderError(rule.code, f"{message}. {rule.advice}")
    if error := _raw_error(message, area):
        return error
    if message.lstrip().startswith(("{", "[")):
        # Old releases print the whole answer, with variables of other sandboxes in it.
        return unanswered("its CLI cannot read what the API answers; a newer release may")
    return unanswered(f"its CLI says: {head_and_tail(message, MESSAGE_LENGTH)}")
