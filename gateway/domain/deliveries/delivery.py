"""A delivery that has not arrived, as far as people want to know of it."""

from typing import Final

from gateway.domain.tasks.task import Frozen

SUPERSEDED: Final = frozenset({"task.progress", "task.log", "task.heartbeat"})
"""Types whose events need not be sent once a newer one of the same type waits behind them."""
PARK_AFTER: Final = 3
"""Failed attempts after which the lane goes on without its head."""


NO_REPEAT: Final = 0
REPEAT: Final = 1
"""It is sent once more after it has arrived, under the same `webhook-id`."""
REPEATING: Final = 2
"""It has arrived; the repetition is due, and however that ends, it stays delivered."""
REPEAT_AFTER: Final = 10_000
"""Milliseconds between the arrival and the repetition."""


class PendingDelivery(Frozen, frozen=True, kw_only=True):
    """Pending, dead or held."""

    endpoint_id: str
    task_seq: int
    status: str
    attempts: int
    failures: int = 0
    """Its place in the schedule."""
    next_attempt_at: int | None = None
    reason: str | None = None
    """Why the last attempt failed."""

    @property
    def is_parked(self) -> bool:
        """Whether the ones behind it no longer wait for it."""
        return self.status == "pending" and self.failures >= PARK_AFTER
