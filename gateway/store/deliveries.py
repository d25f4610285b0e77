"""Deliveries of a task as they are shown, with every attempt to make them."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from gateway.domain.task import Frozen
from gateway.store.rows import Params, Row

NEWEST_DELIVERIES: Final = """
SELECT
    delivery.endpoint_id, delivery.seq, delivery.task_id, event.at, event.type, delivery.status,
    delivery.next_attempt_at
FROM deliveries AS delivery CROSS JOIN events AS event ON event.seq = delivery.seq
WHERE delivery.task_id = :task_id
ORDER BY delivery.seq DESC, delivery.endpoint_id DESC LIMIT :limit"""

# Joined, not IN: only so SQLite seeks by both columns.
DELIVERY_ATTEMPTS: Final = """
SELECT
    attempt.endpoint_id, attempt.seq, attempt.at, attempt.trigger, attempt.status, attempt.reason,
    attempt.duration_ms, attempt.key_id, attempt.response_body
FROM json_each(:keys) AS wanted CROSS JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = json_extract(wanted.value, '$[0]')
    AND attempt.seq = json_extract(wanted.value, '$[1]')
ORDER BY attempt.number"""

Query = Callable[[str, Params], Awaitable[Iterable[Row]]]


class DeliveryAttempt(Frozen, frozen=True, kw_only=True):
    """One request, and what came of it; moments and durations in milliseconds."""

    at: int
    trigger: str
    status: int | None
    """HTTP; None if there was no answer."""
    reason: str | None
    duration_ms: int
    key_id: str | None
    response_body: str | None


class Delivery(Frozen, frozen=True, kw_only=True):
    """An event owed to an endpoint, and how that stands."""

    endpoint_id: str
    seq: int
    task_id: str
    event_at: int
    type: str
    status: str
    next_attempt_at: int | None
    attempts: tuple[DeliveryAttempt, ...] = ()


async def deliveries_of(query: Query, task_id: str, limit: int) -> list[Delivery]:
    """Those of the task's newest events, oldest first."""
    found = list(await query(NEWEST_DELIVERIES, {"task_id": task_id, "limit": limit}))[::-1]
    made: dict[tuple[str, int], list[DeliveryAttempt]] = defaultdict(list)
    keys = json.dumps([(row[0], row[1]) for row in found])
    for row in await query(DELIVERY_ATTEMPTS, {"keys": keys}):
        made[row[0], row[1]].append(_attempt(row))
    return [_delivery(row, made[row[0], row[1]]) for row in found]


def _attempt(row: Row) -> DeliveryAttempt:
    return DeliveryAttempt(
        at=row[2],
        trigger=row[3],
        status=row[4],
        reason=row[5],
        duration_ms=row[6],
        key_id=row[7],
        response_body=row[8],
    )


def _delivery(row: Row, attempts: Iterable[DeliveryAttempt]) -> Delivery:
    return Delivery(
        endpoint_id=row[0],
        seq=row[1],
        task_id=row[2],
        event_at=row[3],
        type=row[4],
        status=row[5],
        next_attempt_at=row[6],
        attempts=tuple(attempts),
    )
