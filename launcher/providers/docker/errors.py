"""Errors of the docker CLI, which only their text distinguishes.

Exit codes of `docker run`: 125 for docker's own errors, 126 and 127 for an entry point that cannot
be run or does not exist (docs.docker.com/engine/containers/run/#exit-status).
"""

import re
from typing import Final

from gateway.wire.truncation import head_and_tail
from launcher.providers.program import CommandResult
from launcher.providers.protocol import ErrorRule, ProviderError, find_rule

NOT_RUNNABLE: Final = (126, 127)
_MESSAGE_LENGTH: Final = 1_000
_NOISE: Final = re.compile(
    r"^(WARNING:|Run 'docker |See 'docker |Usage:|time=)|^$"
    # A build without buildx, by a client that would rather have it.
    r"|^(DEPRECATED: The legacy builder|Install the buildx|https://docs\.docker\.com/go/buildx)"
)
_RULES: Final = (
    ErrorRule(
        # The last one: 20.10 asked for the id of a daemon that is not there.
        r"cannot connect to the docker daemon|failed to connect to the docker api"
        r"|error during connect|indirection through nil pointer",
        "provider_unavailable",
        "Start docker on the launcher's host, or look at DOCKER_HOST and DOCKER_CONTEXT.",
        retryable=True,
    ),
    ErrorRule(
        r"permission denied while trying to connect",
        "provider_auth",
        "The launcher's user must be allowed to use docker (group `docker`, or rootless docker).",
    ),
    ErrorRule(
        r"no such image|invalid reference format|must be lowercase",
        "snapshot_not_found",
        "Have the image on that host: `slipgate snapshot image NAME`, or `docker pull NAME`. "
        "SLIPGATE_DOCKER_IMAGES says which image stands for a snapshot of another name.",
    ),
    ErrorRule(
        r"address pools have been fully subnetted|non-overlapping IPv4 address pool",
        "provider_quota",
        "Docker has no room for another network: `docker network prune` removes unused ones.",
        retryable=True,
    ),
    ErrorRule(
        r"unknown (shorthand )?flag|is not a docker command",
        "provider_refused",
        "This release of docker's CLI is too old: 20.10 and later will do.",
    ),
)


class NotThere(ProviderError):
    """There is no such container, network or file."""


class NotRunning(ProviderError):
    """The container has ended or is paused: it can run no command."""


class AlreadyThere(ProviderError):
    """Another call was faster."""


_TYPES: Final = (
    (r"no such (container|network|object)|network \S+ not found", NotThere),
    (r"could not find the file", NotThere),
    (r"container \S+ is (not running|paused|restarting)", NotRunning),
    (r"already exists|is already in use|already in progress", AlreadyThere),
)


def cli_error(result: CommandResult) -> ProviderError:
    """The error of a failed run."""
    if result.code is None:
        return unavailable("its CLI took too long")
    message = _message(result)
    for pattern, kind in _TYPES:
        if re.search(pattern, message, re.IGNORECASE):
            return kind("provider_unavailable", f"docker: {message}", retryable=True)
    if rule := find_rule(_RULES, message):
        text = f"docker: {message.rstrip('.')}. {rule.advice}"
        return ProviderError(rule.code, text, retryable=rule.retryable)
    return not_runnable(message) if result.code in NOT_RUNNABLE else unavailable(message)


def unavailable(message: str) -> ProviderError:
    return ProviderError("provider_unavailable", f"docker: {message}", retryable=True)


def not_runnable(reason: str) -> ProviderError:
    """Permanent: the image's entry point will not run at the next attempt, either."""
    text = head_and_tail(reason, _MESSAGE_LENGTH)
    return ProviderError("sandbox_error", f"docker cannot start the image's entrypoint: {text}")


def _message(result: CommandResult) -> str:
    lines = [line for line in result.err.splitlines() if not _NOISE.search(line.strip())]
    text = " ".join(" ".join(lines).split())
    for prefix in ("docker: ", "Error response from daemon: "):
        text = text.removeprefix(prefix)
    return head_and_tail(text, _MESSAGE_LENGTH) or f"exit code {result.code}"
