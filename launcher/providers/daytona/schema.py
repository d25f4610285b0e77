"""What Daytona shows, and what it means in our words.

Source: Daytona's API and CLI, v0.101 to v0.205, and the client of v0.231; unknown fields are
ignored, missing ones are not assumed, and a state that is not listed counts as passing, never as a
failure.
"""

from typing import Any, Final

import msgspec

from gateway.wire.launcher import Process, ReportedState
from gateway.wire.times import milliseconds, parse_rfc3339
from launcher.providers.protocol import Key, SandboxStatus

INSTANCE_LABEL: Final = "slipgate-instance"
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
"""Everything else is on its way: `creating`."""


_ON_ITS_WAY: Final = frozenset({"building", "pending", "pulling", "snapshotting", "removing"})


class Sandbox(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sandbox, whole or as it is listed."""

    id: str
    name: str
    labels: dict[str, str]
    organization_id: str | None = None
    snapshot: str | None = None
    state: str | None = None
    error_reason: str | None = None
    queue_timed_out_at: str | None = None
    spot_evicted_at: str | None = None
    created_at: str | None = None
    toolbox_proxy_url: str | None = None

    @property
    def reported_state(self) -> ReportedState:
        """Its state in our words."""
        return _STATES.get(self.state or "", "creating")

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left of it: since v0.231 it may be answered for a day all the same."""
        return self.state == "destroyed"

    @property
    def reason(self) -> str | None:
        """Why it is in its state, as far as Daytona tells."""
        if self.spot_evicted_at:
            return f"Daytona evicted it at {self.spot_evicted_at}: it was a spot sandbox"
        if self.queue_timed_out_at:
            return (
                f"Daytona had no room for it in time, and gave it up at {self.queue_timed_out_at}"
            )
        return self.error_reason

    def found(self) -> SandboxStatus:
        """As every provider tells it; of its agent nothing is known from outside."""
        moment = parse_rfc3339(self.created_at or "")
        return SandboxStatus(
            id=self.id,
            key=Key(instance=self.labels.get(INSTANCE_LABEL, ""), name=self.name, id=self.id),
            snapshot=self.snapshot,
            labels=self.labels,
            state=self.reported_state,
            process=Process(state="unknown"),
            created_at=milliseconds(moment) if moment else 0,
            reason=self.reason,
        )


class SandboxPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a list, numbered up to v0.179, with a cursor since."""

    items: tuple[Sandbox, ...]
    next_cursor: str | None = None
    total_pages: int = 1


LISTED: Final[Any] = SandboxPage | tuple[Sandbox, ...]
"""An API before v0.180 lists all sandboxes at once, in a bare array. (Any: no type checker takes a
union for the type of a document.)"""


def page_of(listed: SandboxPage | tuple[Sandbox, ...]) -> SandboxPage:
    """Either form as a page."""
    return listed if isinstance(listed, SandboxPage) else SandboxPage(items=listed)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An image that sandboxes are made from."""

    id: str
    name: str
    state: str
    organization_id: str | None = None
    general: bool = False
    entrypoint: tuple[str, ...] | None = None
    error_reason: str | None = None
    region_ids: tuple[str, ...] | None = None

    @property
    def is_on_its_way(self) -> bool:
        """Whether it comes to another state by itself."""
        return self.state in _ON_ITS_WAY


class SnapshotPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of snapshots."""

    items: tuple[Snapshot, ...]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The key that asks."""

    name: str
    permissions: tuple[str, ...]
    organization_id: str | None = None
    """Newer releases tell it."""
    expires_at: str | None = None


class Executed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a command in a sandbox ended; output and errors come as one."""

    exit_code: int | None = None
    """Optional in newer releases; what is left out is 0."""
    result: str = ""


class ToolboxAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where commands for a sandbox are sent."""

    url: str


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refusal."""

    message: str = ""
