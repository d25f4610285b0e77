"""What an attempt means for its delivery: delivered, due again, or dead."""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.domain.deliveries.delivery import (
    NO_REPEAT,
    REPEAT,
    REPEAT_AFTER,
    REPEATING,
)
from gateway.domain.kernel.commands import SettleDelivery
from gateway.loops.deliveries.limits import Limits
from gateway.loops.deliveries.outbox import Head
from gateway.loops.deliveries.post import Outcome, WebhookMessage
from gateway.loops.deliveries.schedule import next_attempt_at

NOT_ITS_FAULT: Final = 60_000
"""Milliseconds until an attempt that failed through a fault of ours, or of our proxy, is made
again; the schedule stands still meanwhile."""


class Judge:
    """Holds outcomes against the schedule, and against the breaker of their endpoint."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], int],
        random: Callable[[], float],
        schedule: Sequence[int],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._random = random
        self._schedule = schedule

    def settlement(
        self, head: Head, letter: WebhookMessage | None, outcome: Outcome, at: int
    ) -> SettleDelivery:
        """What is written down of an attempt that began then (milliseconds)."""
        failures = head.failures
        due: int | None = None
        status = "delivered"
        if not outcome.is_success:
            failures += self._counts(head, outcome)
            due = self._next(head, failures, outcome)
            status = "dead" if due is None else "pending"
        repeats = head.repeats
        if repeats == REPEATING:
            status, due, repeats = "delivered", None, NO_REPEAT
        elif outcome.is_success and repeats == REPEAT:
            status, due, repeats = "pending", self._clock() + REPEAT_AFTER, REPEATING
        return SettleDelivery(
            endpoint_id=head.endpoint_id,
            seq=head.seq,
            status=status,
            attempts=head.attempts + 1,
            failures=failures,
            trigger=head.trigger,
            next_attempt_at=due,
            body=None if letter is None or letter.is_kept else letter.body.decode(),
            at=at,
            http_status=outcome.status,
            reason=outcome.reason,
            duration_ms=outcome.duration_ms,
            key_id=letter.key_id if letter else None,
            answer=outcome.answer,
            is_charged=outcome.is_charged,
            repeats=repeats,
        )

    def _counts(self, head: Head, outcome: Outcome) -> bool:
        """While the breaker is open, what comes back says nothing of the delivery itself."""
        is_probe = outcome.is_charged and self._limits.endpoint(head.endpoint_id).breaker_open
        return outcome.is_counted and not is_probe

    def _next(self, head: Head, failures: int, outcome: Outcome) -> int | None:
        now = self._clock()
        if not outcome.is_counted:
            return now + NOT_ITS_FAULT
        if not self._counts(head, outcome):
            return self._limits.endpoint(head.endpoint_id).retry_at(now)
        return next_attempt_at(
            failures, now, self._random, outcome.retry_after, schedule=self._schedule
        )


def superseded(head: Head, at: int) -> SettleDelivery:
    """An event that its receiver does not know, or need not get any more."""
    return SettleDelivery(
        endpoint_id=head.endpoint_id,
        seq=head.seq,
        status="superseded",
        attempts=head.attempts,
        failures=head.failures,
        next_attempt_at=None,
        body=None,
        at=at,
        http_status=None,
        reason=None,
        duration_ms=0,
        key_id=None,
        answer=None,
        is_attempt=False,
    )
