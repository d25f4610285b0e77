"""What the launcher asks of a provider of sandboxes."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from gateway.wire.launcher import Process, ReportedState, Spooled


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """How a sandbox is found in its realm."""

    instance: str
    name: str
    id: str | None = None
    """What its provider calls it, once that is known: a name may be free before its sandbox is
    gone."""
    snapshot: str | None = None
    """As the job names it; a provider that knows the same one by another word reports this one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSpec:
    """A sandbox that is wanted; its name is the idempotency key."""

    key: Key
    snapshot: str | None
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(repr=False)
    own: frozenset[str] = frozenset()
    """Variables in `env` that came with the job: what it brought is never replaced."""


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
    """Why it is in that state, in its provider's words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolPiece:
    """A piece of what the agent wrote for the gateway."""

    lines: tuple[Spooled, ...]
    offset: int
    """Bytes of the spool read so far."""
    has_more: bool
    skipped: int
    """Lines that are no webhook, or too long for one report."""
    process: Process | None = None
    """The agent's, as it was right before the spool was read; None: ask `find`."""


LOG_TAIL = 1_500


class ProviderError(Exception):
    """A provider could not; `message` is shown to the task's owner."""

    def __init__(
        self, code: str, message: str, *, retryable: bool, retry_after: float = 0.0
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        """Seconds for which the provider asks to be left alone."""


class ProviderUnusable(ProviderError):
    """The provider cannot be used by this launcher at all; another one of the chain may."""


@runtime_checkable
class ReportsExits(Protocol):
    """A provider that can tell cheaply whose process has ended: it is asked every second."""

    @property
    def name(self) -> str: ...

    @property
    def realm(self) -> str: ...

    async def ended(self) -> frozenset[Key]:
        """Its sandboxes, of every instance and every launcher, whose process has ended."""


@runtime_checkable
class Rescues(Protocol):
    """A provider that can save what an agent has left in a sandbox."""

    def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        """The lines that `agent-runner.py --rescue` prints there, after `stop`; nothing if nothing
        lies there. Raises `ProviderError`."""


class Provider(Protocol):
    """Sandboxes of one realm. Every call may be repeated; all raise `ProviderError`."""

    @property
    def name(self) -> str: ...

    @property
    def realm(self) -> str: ...

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """Makes it, or adopts what an earlier call made under that name and those labels."""

    async def find(self, key: Key) -> SandboxStatus | None:
        """Looks it up by name; None if there is none."""

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """All that carry this instance's label."""

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """The next piece of its spool, from a byte offset the gateway has already taken."""

    async def read_log(self, key: Key) -> str:
        """The end of what its agent printed, at most `LOG_TAIL` characters; empty: nothing."""

    async def stop(self, key: Key) -> None:
        """Ends all that runs in it; its spool can still be read."""

    async def remove(self, key: Key) -> None:
        """Ends all that runs in it and deletes it; returns when it is known to be gone."""
