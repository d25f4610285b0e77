"""Replays: work on many deliveries of an endpoint, done a few at a time."""

from typing import Final, Literal

from gateway.domain.tasks.task import Frozen

ReplayKind = Literal["replay", "hold", "release", "drop"]
ReplayStatus = Literal["running", "done", "cancelled"]

AT_ONCE: Final = 500
"""Deliveries that one step turns, at most: a batch with it keeps no caller waiting."""
FOR_EVER: Final = 2**62
"""A number that no event will have."""


class Replay(Frozen, frozen=True, kw_only=True):
    """A stored job; moments in milliseconds.

    `replay` sends again what was asked for. The others follow an endpoint's state: `hold` keeps
    what is pending for one that was disabled, `release` sends what was held, and `drop` ends what
    nobody will get any more.
    """

    id: str
    kind: ReplayKind = "replay"
    endpoint_id: str
    project: str
    since: int | None = None
    until: int | None = None
    only_failed: bool = False
    dry_run: bool = False
    """Only counts."""
    after_seq: int = 0
    """How far it has come."""
    until_seq: int = FOR_EVER
    """The last event it is about."""
    matched: int = 0
    status: ReplayStatus = "running"
    reason: str | None = None
    """Why the deliveries that it drops are dead."""
    created_at: int
    updated_at: int
    finished_at: int | None = None

    @property
    def is_new(self) -> bool:
        """Whether nobody has worked on it yet."""
        return self.status == "running" and self.updated_at == self.created_at


class DeliveryUpdate(Frozen, frozen=True, kw_only=True):
    """A delivery that takes another way than it was on; moments in milliseconds."""

    endpoint_id: str
    seq: int
    status: Literal["pending", "held", "dead"]
    next_attempt_at: int | None = None
    trigger: Literal["auto", "manual", "replay"] = "auto"
    """What its next attempt is owed to."""
    failures: int | None = 0
    """Its place in the schedule; None: at most where it is parked, for what was passed by before is
    no longer the head of its lane, and must say so."""
    reason: str | None = None
    """Why it ends without an attempt."""
