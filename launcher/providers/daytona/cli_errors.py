"""What the CLI prints when it fails: one exit code for everything, so the text must tell.

A refusal of the API begins with the reason phrase of its status (`Bad Request: …`); anything else
is the CLI's own, and leaves open whether the API has done what was asked.
"""

import re
from http import HTTPStatus
from typing import Final

from gateway.wire.truncation import head_and_tail
from launcher.providers.daytona.errors import (
    MESSAGE_LENGTH,
    Area,
    command_failed,
    refusal,
    unanswered,
)
from launcher.providers.program import CommandResult
from launcher.providers.protocol import ProviderError

_FATAL: Final = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_ASIDE: Final = re.compile(r'time="[^"]*" level=(warning|info|debug) ')
"""Nearly every run of a CLI older than the API is warned of that."""
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HINT: Final = re.compile(
    r" - (run 'daytona login' to reauthenticate|check that your API key has sufficient "
    r"permissions for this action)$"
)
"""The CLI adds it to every 401 and 403, whatever those are about (v0.168 and later)."""
_PHRASES: Final = {status.phrase: status.value for status in HTTPStatus if status.value >= 400}
_OWN: Final = (
    (re.compile(r"no profiles found"), "provider_auth", "Set DAYTONA_API_KEY and DAYTONA_API_URL."),
    (
        re.compile(r"unknown (shorthand )?flag|unknown command"),
        "provider_refused",
        "This release of the CLI does not know that; `slipgate doctor` shows what is needed.",
    ),
)


def cli_error(result: CommandResult, area: Area = "sandbox") -> ProviderError:
    """The error of a run that failed."""
    if result.code is None:
        return unanswered("its CLI took too long")
    message = _message(result)
    phrase, _, rest = _HINT.sub("", message).partition(": ")
    status = _PHRASES.get(phrase)
    return _own(message) if status is None else refusal(status, rest, area=area)


def failure_of_command(result: CommandResult) -> ProviderError:
    """The error of a failed `exec`: the CLI's own, or that of the command, whose exit code and
    output are then the CLI's."""
    is_its_own = result.code is None or _FATAL.search(result.err)
    return cli_error(result) if is_its_own else command_failed(result.code or 0, result.out)


def _message(result: CommandResult) -> str:
    """The last fatal line, unescaped; what was printed to a terminal has none."""
    lines = _FATAL.findall(result.err)
    if lines:
        return _ESCAPED.sub(lambda found: {"n": "\n"}.get(found[1], found[1]), lines[-1])
    told = (line for line in _ANSI.sub("", result.err).splitlines() if not _ASIDE.match(line))
    said = [line for line in told if line.strip()]
    return said[-1] if said else f"exit code {result.code}"


def _own(message: str) -> ProviderError:
    for pattern, code, advice in _OWN:
        if pattern.search(message):
            return ProviderError(code, f"{message}. {advice}", retryable=False)
    if message.lstrip().startswith(("{", "[")):
        # Old releases print the whole answer, other sandboxes' variables among it.
        return unanswered("its CLI cannot read what the API answers; a newer release may")
    return unanswered(f"its CLI says: {head_and_tail(message, MESSAGE_LENGTH)}")
