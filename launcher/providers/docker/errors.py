"""What the docker CLI prints when it fails, in our words: only the text tells failures apart.

Exit codes of `docker run`: 125 for docker's own, 126 and 127 for an entrypoint that cannot be run
or is not there (docs.docker.com/engine/containers/run/#exit-status).
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.wire.truncation import head_and_tail
from launcher.providers.program import CommandResult
from launcher.providers.protocol import ProviderError

_MESSAGE_LENGTH: Final = 1_000
_NOT_RUNNABLE: Final = (126, 127)
_NOISE: Final = re.compile(r"^(WARNING:|Run 'docker |See 'docker |Usage:|time=)|^$")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """A failure that is told by its text."""

    pattern: re.Pattern[str]
    code: str
    retryable: bool
    advice: str


def _rule(pattern: str, code: str, advice: str, *, retryable: bool = False) -> _Rule:
    compiled = re.compile(pattern, re.IGNORECASE)
    return _Rule(pattern=compiled, code=code, retryable=retryable, advice=advice)


_RULES: Final = (
    _rule(
        r"cannot connect to the docker daemon|failed to connect to the docker api"
        r"|error during connect",
        "provider_unavailable",
        "Start docker on the launcher's host, or look at DOCKER_HOST and DOCKER_CONTEXT.",
        retryable=True,
    ),
    _rule(
        r"permission denied while trying to connect",
        "provider_auth",
        "The launcher's user must be allowed to use docker (group `docker`, or rootless docker).",
    ),
    _rule(
        r"no such image|invalid reference format|must be lowercase",
        "snapshot_not_found",
        "Have the image on that host: `docker build -t NAME snapshot/`, or `docker pull NAME`. "
        "SLIPGATE_DOCKER_IMAGES says which image stands for a snapshot of another name.",
    ),
    _rule(
        r"address pools have been fully subnetted|non-overlapping IPv4 address pool",
        "provider_quota",
        "Docker has no room for another network: `docker network prune` removes unused ones.",
        retryable=True,
    ),
    _rule(
        r"unknown (shorthand )?flag|is not a docker command",
        "provider_refused",
        "This release of docker's CLI is too old: 20.10 and later will do.",
    ),
)


class NotThere(ProviderError):
    """There is no such container, network or file."""


class NotRunning(ProviderError):
    """The container has ended, or is paused: nothing can be run in it."""


class AlreadyThere(ProviderError):
    """Somebody was faster."""


_SPECIAL: Final = (
    (r"no such (container|network|object)|network \S+ not found", NotThere),
    (r"could not find the file", NotThere),
    (r"container \S+ is (not running|paused|restarting)", NotRunning),
    (r"already exists|is already in use|already in progress", AlreadyThere),
)


def cli_error(result: CommandResult) -> ProviderError:
    """The error of a run that failed."""
    if result.code is None:
        return unavailable("its CLI took too long")
    message = _message(result)
    for pattern, kind in _SPECIAL:
        if re.search(pattern, message, re.IGNORECASE):
            return kind("provider_unavailable", f"docker: {message}", retryable=True)
    for rule in _RULES:
        if rule.pattern.search(message):
            text = f"docker: {message.rstrip('.')}. {rule.advice}"
            return ProviderError(rule.code, text, retryable=rule.retryable)
    if result.code in _NOT_RUNNABLE:
        return not_runnable(message)
    return unavailable(message)


def unavailable(message: str) -> ProviderError:
    """It cannot just now."""
    return ProviderError("provider_unavailable", f"docker: {message}", retryable=True)


def not_runnable(reason: str) -> ProviderError:
    """The image's entrypoint will not run at the next try, either."""
    ends = head_and_tail(reason, _MESSAGE_LENGTH)
    message = f"docker cannot start the image's entrypoint: {ends}"
    return ProviderError("sandbox_error", message, retryable=False)


def _message(result: CommandResult) -> str:
    lines = [line for line in result.err.splitlines() if not _NOISE.search(line.strip())]
    text = " ".join(" ".join(lines).split())
    for prefix in ("docker: ", "Error response from daemon: "):
        text = text.removeprefix(prefix)
    return head_and_tail(text, _MESSAGE_LENGTH) or f"exit code {result.code}"
