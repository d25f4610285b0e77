"""The interface of a provider of sandboxes, with its values and errors."""

import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, runtime_checkable

from gateway.wire.launcher import Process, ReportedState, Spooled

INSTANCE_LABEL: Final = "slipgate-instance"
LOG_TAIL: Final = 1_500
"""Characters of an agent's output that are read."""
STOP_SECONDS: Final = 12
"""From SIGTERM to SIGKILL: an agent ends its commands within 10 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """Identifies a sandbox in its realm."""

    instance: str
    name: str
    id: str | None = None
    """The provider's id, once it is known: a name may be free before its sandbox is gone."""
    snapshot: str | None = None
    """As the job names it; a provider that has another name for the same one reports this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSpec:
    """A sandbox to create; its name is the idempotency key."""

    key: Key
    snapshot: str | None
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(repr=False)
    job_env: frozenset[str] = frozenset()
    """Names of the variables in `env` that came with the job: these are never replaced."""


class ProviderError(Exception):
    """A provider failed, for good unless it is retryable; the task's owner sees `message`."""

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        """Seconds for which the provider asks not to be called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxStatus:
    """A sandbox as it is now."""

    id: str
    key: Key
    snapshot: str | None
    labels: Mapping[str, str]
    state: ReportedState
    process: Process
    created_at: int
    """Milliseconds since the epoch."""
    reason: str | None = None
    """The provider's explanation of the state."""
    failure: ProviderError | None = None
    """Of a sandbox that has not started, or not yet; None: no more is known than the state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolPiece:
    """A piece of an agent's spool."""

    offset: int
    """Bytes of the spool read so far."""
    lines: tuple[Spooled, ...] = ()
    has_more: bool = False
    skipped: int = 0
    """Lines that are no webhook, or too long for one report."""
    process: Process | None = None
    """The agent's, right before the spool was read; None: as `find` says."""


def unavailable(message: str) -> ProviderError:
    """A transient failure."""
    return ProviderError("provider_unavailable", message, retryable=True)


class ProviderUnusable(ProviderError):
    """This launcher cannot use the provider at all; another one of the chain may work."""


class ErrorRule(NamedTuple):
    """Errors whose text matches `pattern` (case is ignored)."""

    pattern: str
    code: str
    advice: str = ""
    retryable: bool = False

    def matches(self, text: str) -> bool:
        return re.search(self.pattern, text, re.IGNORECASE) is not None


def find_rule(rules: Iterable[ErrorRule], text: str) -> ErrorRule | None:
    return next((rule for rule in rules if rule.matches(text)), None)


class Provider(Protocol):
    """Sandboxes of one realm. Every call may be repeated; all raise `ProviderError`."""

    @property
    def name(self) -> str: ...

    @property
    def realm(self) -> str: ...

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """Creates it, or adopts the one that an earlier call created under name and labels."""

    async def find(self, key: Key) -> SandboxStatus | None: ...

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """All sandboxes with this instance's label."""

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """The next piece of the spool, from a byte offset that the gateway has acknowledged."""

    async def read_log(self, key: Key) -> str:
        """The last `LOG_TAIL` characters of the agent's output; empty if there are none."""

    async def stop(self, key: Key) -> None:
        """Ends all processes; the spool can still be read."""

    async def remove(self, key: Key) -> None:
        """Ends all processes and deletes the sandbox; returns once it is known to be gone."""


@runtime_checkable
class ReportsExits(Protocol):
    """A provider that can list ended processes so cheaply that it is asked every second."""

    @property
    def name(self) -> str: ...

    @property
    def realm(self) -> str: ...

    async def ended(self) -> frozenset[Key]:
        """Sandboxes of every instance and every launcher whose process has ended."""


@runtime_checkable
class Rescues(Protocol):
    """A provider that can save what an agent left in a sandbox."""

    def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """Lines that `agent-runner.py --rescue` prints in the stopped sandbox; none if there is
        nothing to save. Raises `ProviderError`."""
