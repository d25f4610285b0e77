"""A delivery that has not arrived."""

from typing import Final

from gateway.domain.tasks.task import Frozen

SUPERSEDED: Final = frozenset({"task.progress", "task.log", "task.heartbeat"})
"""Types whose events are dropped once a newer one of the same type waits."""
PARK_AFTER: Final = 3
"""Failed attempts after which the lane continues without its head."""

NO_REPEAT: Final = 0
REPEAT: Final = 1
"""The delivery is sent once more after it has arrived, under the same `webhook-id`."""
REPEATING: Final = 2
"""It has arrived, and the repetition is due; its result changes nothing."""
REPEAT_AFTER: Final = 10_000
"""Time between the arrival and the repetition (milliseconds)."""


class DeliveryState(Frozen, frozen=True, kw_only=True):
    """A pending, dead or held delivery."""

    endpoint_id: str
    task_seq: int
    status: str
    attempts: int
    failures: int = 0
    """Its position in the retry schedule."""
    next_attempt_at: int | None = None
    reason: str | None = None
    """The failure of the last attempt."""

    @property
    def is_parked(self) -> bool:
        """True if later deliveries no longer wait for it."""
        return self.status == "pending" and self.failures >= PARK_AFTER
