"""Deliveries of a task as they are shown, with every attempt to make them."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from gateway.store.records import Delivery, DeliveryAttempt, DeliveryFilter
from gateway.store.sqlite import rows
from gateway.store.sqlite.rows import Params, Row

# The event is joined by its number, one seek for each delivery that is shown.
_SHOWN: Final = """
    delivery.endpoint_id, delivery.seq, delivery.task_id, event.at, event.type, delivery.status,
    delivery.next_attempt_at, delivery.reason
FROM deliveries AS delivery"""

_EVENT: Final = "CROSS JOIN events AS event ON event.seq = delivery.seq"

NEWEST_DELIVERIES: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.task_id = :task_id
ORDER BY delivery.seq DESC, delivery.endpoint_id DESC LIMIT :limit"""

ONE_DELIVERY: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.endpoint_id = :endpoint_id AND delivery.seq = :seq"""

_BEFORE: Final = """(delivery.seq, delivery.endpoint_id) < (:seq, :before)
  AND (:endpoint_id IS NULL OR delivery.endpoint_id = :endpoint_id)
  AND (:status IS NULL OR delivery.status = :status)
ORDER BY delivery.seq DESC, delivery.endpoint_id DESC LIMIT :limit"""

DELIVERIES_OF_TASK: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.task_id = :task_id AND {_BEFORE}"""

DELIVERIES_OF_ENDPOINT: Final = f"""SELECT {_SHOWN} {_EVENT}
WHERE delivery.endpoint_id = :endpoint_id AND delivery.seq <= :seq AND {_BEFORE}"""

ALL_DELIVERIES: Final = f"""SELECT {_SHOWN} INDEXED BY deliveries_of_event {_EVENT}
WHERE delivery.seq <= :seq AND {_BEFORE}"""

# Its condition is that of the index, word for word.
MISSED_DELIVERIES: Final = f"""SELECT {_SHOWN} INDEXED BY deliveries_missed {_EVENT}
WHERE (delivery.status = 'dead' OR delivery.status = 'held' OR delivery.status = 'superseded')
  AND delivery.status = :status AND delivery.seq <= :seq AND {_BEFORE}"""

PENDING_DELIVERIES: Final = f"""SELECT {_SHOWN} INDEXED BY deliveries_due {_EVENT}
WHERE delivery.status = 'pending' AND {_BEFORE}"""

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


def _statement(wanted: DeliveryFilter) -> str:
    """The statement that reads the fewest others on its way."""
    if wanted.task_id is not None:
        return DELIVERIES_OF_TASK
    if wanted.status in {"dead", "held", "superseded"}:
        return MISSED_DELIVERIES
    if wanted.status == "pending":
        return PENDING_DELIVERIES
    return ALL_DELIVERIES if wanted.endpoint_id is None else DELIVERIES_OF_ENDPOINT


async def deliveries_of(query: Query, task_id: str, limit: int) -> list[Delivery]:
    """Those of the task's newest events, oldest first."""
    found = list(await query(NEWEST_DELIVERIES, {"task_id": task_id, "limit": limit}))
    return await _with_attempts(query, found[::-1])


async def one_delivery(query: Query, endpoint_id: str, seq: int) -> Delivery | None:
    """The delivery of an event to an endpoint."""
    found = list(await query(ONE_DELIVERY, {"endpoint_id": endpoint_id, "seq": seq}))
    return next(iter(await _with_attempts(query, found)), None)


async def page_of_deliveries(
    query: Query, wanted: DeliveryFilter, before: tuple[int, str], limit: int
) -> list[Delivery]:
    """Those of events before this number, and at it to endpoints before this one; newest first."""
    given = {**rows.named(wanted), "seq": before[0], "before": before[1], "limit": limit}
    return await _with_attempts(query, list(await query(_statement(wanted), given)))


async def _with_attempts(query: Query, found: list[Row]) -> list[Delivery]:
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
        reason=row[7],
        attempts=tuple(attempts),
    )
