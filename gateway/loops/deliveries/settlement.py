"""The meaning of an attempt for its delivery: delivered, due again, or dead."""

from typing import Final

from gateway.domain.deliveries.delivery import (
    NO_REPEAT,
    REPEAT,
    REPEAT_AFTER,
    REPEATING,
)
from gateway.domain.kernel.commands import SettleDelivery
from gateway.loops.deliveries.limiter import EndpointLimiter
from gateway.loops.deliveries.post import Outcome, WebhookMessage
from gateway.loops.deliveries.schedule import Timing, next_attempt_at
from gateway.store.records import Head

NOT_ITS_FAULT: Final = 60_000
"""Milliseconds until an attempt that failed through a fault of ours, or of our proxy, is made
again; the schedule stands still meanwhile."""


def settlement(
    head: Head,
    message: WebhookMessage | None,
    outcome: Outcome,
    at: int,
    *,
    limiter: EndpointLimiter,
    timing: Timing,
) -> SettleDelivery:
    """The record of an attempt that began at `at` (milliseconds)."""
    failures = head.failures
    due: int | None = None
    status = "delivered"
    if not outcome.is_success:
        failures += _counts(outcome, limiter)
        due = _next(failures, outcome, limiter, timing)
        status = "dead" if due is None else "pending"
    repeats = head.repeats
    if repeats == REPEATING:
        status, due, repeats = "delivered", None, NO_REPEAT
    elif outcome.is_success and repeats == REPEAT:
        status, due, repeats = "pending", timing.clock() + REPEAT_AFTER, REPEATING
    return SettleDelivery(
        endpoint_id=head.endpoint_id,
        seq=head.seq,
        status=status,
        attempts=head.attempts + 1,
        failures=failures,
        trigger=head.trigger,
        next_attempt_at=due,
        body=None if message is None or message.is_kept else message.body.decode(),
        at=at,
        http_status=outcome.status,
        reason=outcome.reason,
        duration_ms=outcome.duration_ms,
        key_id=message.key_id if message else None,
        answer=outcome.answer,
        is_charged=outcome.is_charged,
        repeats=repeats,
    )


def superseded(head: Head, at: int) -> SettleDelivery:
    """The record of an event that its receiver does not know, or need not get any more."""
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


def _counts(outcome: Outcome, limiter: EndpointLimiter) -> bool:
    """False while the breaker is open: what comes back says nothing of the delivery itself."""
    is_probe = outcome.is_charged and limiter.breaker_open
    return outcome.is_counted and not is_probe


def _next(failures: int, outcome: Outcome, limiter: EndpointLimiter, timing: Timing) -> int | None:
    now = timing.clock()
    if not outcome.is_counted:
        return now + NOT_ITS_FAULT
    if not _counts(outcome, limiter):
        return limiter.retry_at(now)
    return next_attempt_at(
        failures, now, timing.random, outcome.retry_after, schedule=timing.schedule
    )
