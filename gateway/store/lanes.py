"""Lanes: the deliveries that may be sent now, some for each endpoint."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec

from gateway.domain.delivery import PARK_AFTER
from gateway.domain.task import Frozen
from gateway.store.rows import Params, Row

# ruff: noqa: S608 - what is put into a statement here is a constant table expression

PER_ENDPOINT: Final = 40
"""Heads of one endpoint that one read gives: twice as many as may be under way, and some that were
answered and wait for their commit."""

# From one endpoint that is owed something to the next, by the index; their number is what it costs.
OWED_ENDPOINTS: Final = """
owed (endpoint_id) AS (
    SELECT ''
    UNION ALL
    SELECT (
        SELECT endpoint_id FROM deliveries INDEXED BY deliveries_due
        WHERE status = 'pending' AND endpoint_id > owed.endpoint_id ORDER BY endpoint_id LIMIT 1)
    FROM owed WHERE owed.endpoint_id IS NOT NULL)"""

# The heads of the newest lanes of an endpoint: if all of the longest due wait behind one head, the
# other lanes go on. Where so many wait, the endpoint is what fails, and its gate is shut.
_NEWEST_LANES: Final = """(
WITH RECURSIVE lane (task_id) AS (
    SELECT (
        SELECT task_id FROM deliveries INDEXED BY deliveries_lane
        WHERE endpoint_id = owed.endpoint_id AND status = 'pending'
        ORDER BY task_id DESC LIMIT 1)
    UNION ALL
    SELECT (
        SELECT task_id FROM deliveries INDEXED BY deliveries_lane
        WHERE endpoint_id = owed.endpoint_id AND status = 'pending'
          AND task_id < lane.task_id ORDER BY task_id DESC LIMIT 1)
    FROM lane WHERE lane.task_id IS NOT NULL LIMIT 32)
SELECT (
    SELECT iif(next_attempt_at <= :now, seq, NULL) FROM deliveries INDEXED BY deliveries_lane
    WHERE endpoint_id = owed.endpoint_id AND status = 'pending' AND task_id = lane.task_id
      AND failures < :park_after ORDER BY task_seq LIMIT 1) AS seq
FROM lane)"""

# The head of each (endpoint, task) lane; one that failed too often is parked: the lane goes on.
# Looked for among the longest due of each endpoint, or one lane with thousands behind a head that
# cannot be sent would have all of them read at each look.
DUE_DELIVERIES: Final = f"""WITH RECURSIVE {OWED_ENDPOINTS}
SELECT
    delivery.endpoint_id, delivery.seq, delivery.task_id, delivery.attempts, delivery.failures,
    delivery.trigger, delivery.body, endpoint.rate_per_second
FROM owed
CROSS JOIN endpoints AS endpoint ON endpoint.id = owed.endpoint_id AND endpoint.enabled = 1
CROSS JOIN deliveries AS delivery ON delivery.endpoint_id = owed.endpoint_id
    AND delivery.seq IN (
        SELECT seq FROM (
            SELECT seq, task_id, task_seq FROM deliveries INDEXED BY deliveries_due
            WHERE endpoint_id = owed.endpoint_id AND status = 'pending' AND next_attempt_at <= :now
            ORDER BY next_attempt_at LIMIT 256) AS due
        WHERE NOT EXISTS (
            SELECT 1 FROM deliveries AS earlier INDEXED BY deliveries_lane
            WHERE earlier.endpoint_id = owed.endpoint_id AND earlier.task_id = due.task_id
              AND earlier.status = 'pending' AND earlier.task_seq < due.task_seq
              AND earlier.failures < :park_after)
        UNION ALL SELECT seq FROM {_NEWEST_LANES}
        LIMIT :per_endpoint)
WHERE owed.endpoint_id NOT IN (SELECT value FROM json_each(:closed))
ORDER BY delivery.next_attempt_at, delivery.seq LIMIT :limit"""

NEXT_DELIVERY: Final = f"""WITH RECURSIVE {OWED_ENDPOINTS}
SELECT min((
    SELECT next_attempt_at FROM deliveries INDEXED BY deliveries_due
    WHERE endpoint_id = owed.endpoint_id AND status = 'pending' AND next_attempt_at > :now
    ORDER BY next_attempt_at LIMIT 1))
FROM owed
WHERE owed.endpoint_id NOT IN (SELECT value FROM json_each(:closed))"""

# Those that failed last wait the longest: of an endpoint with a million that were never tried, only
# few are looked at.
FAILURES: Final = """
SELECT endpoint.id, endpoint.failing_since, attempt.at, attempt.reason
FROM endpoints AS endpoint
CROSS JOIN deliveries AS delivery ON delivery.endpoint_id = endpoint.id
    AND delivery.seq IN (
        SELECT seq FROM deliveries INDEXED BY deliveries_due
        WHERE endpoint_id = endpoint.id AND status = 'pending'
        ORDER BY next_attempt_at DESC LIMIT 64)
CROSS JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = delivery.endpoint_id AND attempt.seq = delivery.seq
WHERE endpoint.failing_since IS NOT NULL AND endpoint.enabled = 1
  AND attempt.reason IS NOT NULL AND attempt.at >= endpoint.failing_since
ORDER BY attempt.at"""

CHANGED_AT: Final = """
SELECT id, updated_at FROM endpoints WHERE id IN (SELECT value FROM json_each(:ids))"""

Query = Callable[[str, Params], Awaitable[Iterable[Row]]]


class DueDelivery(Frozen, frozen=True, kw_only=True):
    """The head of a lane that may be sent now."""

    endpoint_id: str
    seq: int
    task_id: str
    attempts: int
    failures: int
    trigger: Literal["auto", "manual", "replay"]
    body: str | None
    rate_per_second: float | None = None


class Failure(Frozen, frozen=True, kw_only=True):
    """An attempt that came to nothing; moments in milliseconds."""

    endpoint_id: str
    failing_since: int
    at: int
    reason: str


async def due_deliveries(
    query: Query, now: int, limit: int, closed: Sequence[str]
) -> list[DueDelivery]:
    """Heads of lanes to all but these endpoints, the longest due first."""
    given = {
        "now": now,
        "limit": limit,
        "per_endpoint": PER_ENDPOINT,
        "closed": _json(closed),
        "park_after": PARK_AFTER,
    }
    return [
        DueDelivery(**dict(zip(DueDelivery.__struct_fields__, row, strict=True)))
        for row in await query(DUE_DELIVERIES, given)
    ]


async def next_delivery(query: Query, now: int, closed: Sequence[str]) -> int | None:
    """When the next one that is not due yet comes due (milliseconds)."""
    for (at,) in await query(NEXT_DELIVERY, {"now": now, "closed": _json(closed)}):
        return None if at is None else int(at)
    return None


async def failures(query: Query) -> list[Failure]:
    """The last ones of the endpoints to which nothing got through since, oldest first."""
    names = Failure.__struct_fields__
    return [Failure(**dict(zip(names, row, strict=True))) for row in await query(FAILURES, {})]


async def changed_at(query: Query, endpoint_ids: Sequence[str]) -> dict[str, int]:
    """When somebody last changed each of these endpoints (milliseconds)."""
    return {row[0]: row[1] for row in await query(CHANGED_AT, {"ids": _json(endpoint_ids)})}


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(names).decode()
