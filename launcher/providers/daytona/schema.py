"""Daytona's JSON, and its states in terms of slipgate.

Source: Daytona's API and CLI, v0.101 to v0.205, and the client of v0.231. Unknown fields are
ignored, missing ones are not assumed, and an unknown state is transient, never a failure.
"""

from typing import Any, Final

import msgspec

from gateway.wire.launcher import Process, ReportedState
from gateway.wire.times import milliseconds, parse_rfc3339
from launcher.providers.protocol import INSTANCE_LABEL, Key, SandboxStatus

_STATES: Final[dict[str, ReportedState]] = {
    "started": "started",
    "stopped": "stopped",
    "stopping": "stopped",
    "archived": "stopped",
    "archiving": "stopped",
    "paused": "stopped",
    "pausing": "stopped",
    "error": "error",
    "build_failed": "error",
    "destroying": "unknown",
    "destroyed": "destroyed",
}
"""Every other state is `creating`."""
_TRANSIENT: Final = frozenset({"building", "pending", "pulling", "snapshotting", "removing"})


class Sandbox(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sandbox, whole or as an item of a list."""

    id: str
    name: str = ""
    nullable_labels: dict[str, str] | None = msgspec.field(name="labels", default=None)
    organization_id: str | None = None
    snapshot: str | None = None
    state: str | None = None
    error_reason: str | None = None
    queue_timed_out_at: str | None = None
    spot_evicted_at: str | None = None
    created_at: str | None = None
    toolbox_proxy_url: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        return self.nullable_labels or {}

    @property
    def reported_state(self) -> ReportedState:
        return _STATES.get(self.state or "", "creating")

    @property
    def is_at_rest(self) -> bool:
        """True if it can be started."""
        return self.state in ("stopped", "archived", "paused")

    @property
    def is_gone(self) -> bool:
        """Since v0.231 a destroyed sandbox may be found for another day."""
        return self.state == "destroyed"

    @property
    def reason(self) -> str | None:
        """The reason of its state, if Daytona shows it."""
        if self.spot_evicted_at:
            return f"Daytona evicted it at {self.spot_evicted_at}: it was a spot sandbox"
        if at := self.queue_timed_out_at:
            return f"Daytona had no room for it in time, and gave it up at {at}"
        return self.error_reason

    def sandbox_status(self) -> SandboxStatus:
        """The process is unknown: Daytona does not show it."""
        created_at = parse_rfc3339(self.created_at or "")
        return SandboxStatus(
            id=self.id,
            key=Key(instance=self.labels.get(INSTANCE_LABEL, ""), name=self.name, id=self.id),
            snapshot=self.snapshot,
            labels=self.labels,
            state=self.reported_state,
            process=Process(state="unknown"),
            created_at=milliseconds(created_at) if created_at else 0,
            reason=self.reason,
        )


class SandboxPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a list, numbered up to v0.179, with a cursor since."""

    nullable_items: tuple[Sandbox, ...] | None = msgspec.field(name="items")
    next_cursor: str | None = None
    """The last page has none, or an empty one."""
    total_pages: int = 1

    @property
    def items(self) -> tuple[Sandbox, ...]:
        return self.nullable_items or ()


LISTED: Final[Any] = SandboxPage | tuple[Sandbox, ...]
"""An API before v0.180 lists all sandboxes at once, in a bare array. (Any: no type checker takes a
union for a `type[T]`.)"""


def page_of(listed: SandboxPage | tuple[Sandbox, ...]) -> SandboxPage:
    return listed if isinstance(listed, SandboxPage) else SandboxPage(nullable_items=listed)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    name: str
    state: str
    organization_id: str | None = None
    general: bool = False
    entrypoint: tuple[str, ...] | None = None
    error_reason: str | None = None
    region_ids: tuple[str, ...] | None = None

    @property
    def is_transient(self) -> bool:
        """True if its state changes by itself."""
        return self.state in _TRANSIENT


class SnapshotPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    nullable_items: tuple[Snapshot, ...] | None = msgspec.field(name="items")

    @property
    def items(self) -> tuple[Snapshot, ...]:
        return self.nullable_items or ()


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    permissions: tuple[str, ...] | None = None
    """None: not told."""
    organization_id: str | None = None
    """Sent by newer releases."""
    expires_at: str | None = None


class Executed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Result of a command in a sandbox; `result` holds output and errors."""

    exit_code: int | None = None
    """Optional in newer releases; a missing one is 0."""
    result: str | None = None


class ToolboxAddress(msgspec.Struct, frozen=True, kw_only=True):
    """URL for commands to a sandbox."""

    url: str


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An error of the API, its daemon or a gateway before them: each leaves out other fields."""

    message: Any = None
    """A text; a list of texts if nothing joins them."""
    error: Any = None
    """The status's phrase, or the whole explanation."""
    status_code: Any = None

    @property
    def text(self) -> str:
        found = self.message or self.error or ""
        return ", ".join(map(str, found)) if isinstance(found, list) else str(found)
