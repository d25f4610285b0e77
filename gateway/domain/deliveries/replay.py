"""Replays: jobs that change many deliveries of an endpoint, a few at a time."""

from typing import Final, Literal

from gateway.domain.tasks.task import Frozen

ReplayKind = Literal["replay", "hold", "release", "drop"]
ReplayStatus = Literal["running", "done", "cancelled"]

AT_ONCE: Final = 500
"""Deliveries of one step: few enough that its batch delays no caller."""
NO_LIMIT: Final = 2**62
"""A number that no event reaches."""


class Replay(Frozen, frozen=True, kw_only=True):
    """A stored job; times in milliseconds.

    `replay` sends the requested deliveries again. The others follow the endpoint's state: `hold`
    holds pending deliveries, `release` sends held ones, `drop` makes them dead.
    """

    id: str
    kind: ReplayKind = "replay"
    endpoint_id: str
    project: str
    since: int | None = None
    until: int | None = None
    only_failed: bool = False
    dry_run: bool = False
    """True if it only counts."""
    after_seq: int = 0
    """The last event already processed."""
    until_seq: int = NO_LIMIT
    """The last event to process."""
    matched: int = 0
    status: ReplayStatus = "running"
    reason: str | None = None
    """The reason of the deliveries that it drops."""
    created_at: int
    updated_at: int
    finished_at: int | None = None

    @property
    def is_new(self) -> bool:
        return self.status == "running" and self.updated_at == self.created_at


class DeliveryUpdate(Frozen, frozen=True, kw_only=True):
    """A change of a delivery outside its schedule; times in milliseconds."""

    endpoint_id: str
    seq: int
    status: Literal["pending", "held", "dead"]
    next_attempt_at: int | None = None
    trigger: Literal["auto", "manual", "replay"] = "auto"
    """The cause of its next attempt."""
    failures: int | None = 0
    """Its position in the retry schedule; None: at most that of a parked one, because an
    overtaken delivery is no longer the head of its lane."""
    reason: str | None = None
    """The reason for its end without an attempt."""
