"""Lanes in the store: the deliveries that may be sent now, some for each endpoint."""

# ruff: noqa: S608 - what is put into a statement here is a constant table expression

from collections.abc import Sequence
from typing import Final

from gateway.domain.deliveries.delivery import PARK_AFTER
from gateway.store.records import DeliveryFailure, DueDeliveries, Head, PendingEndpoint
from gateway.store.sql.connection import Queries

PER_ENDPOINT: Final = 160
"""Heads of one endpoint that one read gives: twice as many as may be under way, and some that were
answered and wait for their commit."""

# From one endpoint that is owed something to the next, by the index; their number is what it costs.
PENDING_ENDPOINTS: Final = """
WITH RECURSIVE owed (endpoint_id) AS (
    SELECT (
        SELECT endpoint_id FROM deliveries INDEXED BY deliveries_due
        WHERE status = 'pending' AND endpoint_id > :after ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT endpoint_id FROM deliveries INDEXED BY deliveries_due
        WHERE status = 'pending' AND endpoint_id > owed.endpoint_id ORDER BY endpoint_id LIMIT 1)
    FROM owed WHERE owed.endpoint_id IS NOT NULL LIMIT :limit)
SELECT endpoint.id, endpoint.project, endpoint.enabled, (
    SELECT next_attempt_at FROM deliveries INDEXED BY deliveries_due
    WHERE endpoint_id = owed.endpoint_id AND status = 'pending' ORDER BY next_attempt_at LIMIT 1)
FROM owed CROSS JOIN endpoints AS endpoint ON endpoint.id = owed.endpoint_id"""

# The heads of the newest lanes of an endpoint: if all of the longest due wait behind one head, the
# other lanes go on. Where so many wait, the endpoint itself fails, and its breaker is open.
_NEWEST_LANES: Final = """(
WITH RECURSIVE lane (task_id) AS (
    SELECT (
        SELECT task_id FROM deliveries INDEXED BY deliveries_lane
        WHERE endpoint_id = endpoint.id AND status = 'pending'
        ORDER BY task_id DESC LIMIT 1)
    UNION ALL
    SELECT (
        SELECT task_id FROM deliveries INDEXED BY deliveries_lane
        WHERE endpoint_id = endpoint.id AND status = 'pending'
          AND task_id < lane.task_id ORDER BY task_id DESC LIMIT 1)
    FROM lane WHERE lane.task_id IS NOT NULL LIMIT 32)
SELECT (
    SELECT iif(next_attempt_at <= :now, seq, NULL) FROM deliveries INDEXED BY deliveries_lane
    WHERE endpoint_id = endpoint.id AND status = 'pending' AND task_id = lane.task_id
      AND failures < :park_after ORDER BY task_seq LIMIT 1) AS seq
FROM lane)"""

# The head of each (endpoint, task) lane; one that failed too often is parked: the lane goes on.
# Looked for among the longest due of each endpoint, or one lane with thousands behind a head that
# cannot be sent would have all of them read at each look.
DUE_DELIVERIES: Final = f"""
WITH endpoint AS MATERIALIZED (
    SELECT endpoints.id, project, rate_per_second, (
            SELECT next_attempt_at FROM deliveries INDEXED BY deliveries_due
            WHERE endpoint_id = endpoints.id AND status = 'pending'
              AND next_attempt_at > :now
            ORDER BY next_attempt_at LIMIT 1) AS next_at, (
            SELECT count(*) FROM (
                SELECT 1 FROM deliveries INDEXED BY deliveries_due
                WHERE endpoint_id = endpoints.id AND status = 'pending' LIMIT 256)) AS pending
    FROM json_each(:endpoints) AS wanted
    CROSS JOIN endpoints ON endpoints.id = wanted.value AND enabled = 1)
SELECT
    endpoint.id, endpoint.next_at, endpoint.pending,
    endpoint.project, delivery.seq, delivery.task_id, delivery.attempts, delivery.failures,
    delivery.trigger, delivery.next_attempt_at, delivery.repeats, endpoint.rate_per_second
FROM endpoint
LEFT JOIN deliveries AS delivery ON delivery.endpoint_id = endpoint.id
    AND delivery.seq IN (
        SELECT seq FROM (
            SELECT seq, task_id, task_seq FROM deliveries INDEXED BY deliveries_due
            WHERE endpoint_id = endpoint.id AND status = 'pending' AND next_attempt_at <= :now
            ORDER BY next_attempt_at LIMIT 256) AS due
        WHERE NOT EXISTS (
            SELECT 1 FROM deliveries AS earlier INDEXED BY deliveries_lane
            WHERE earlier.endpoint_id = endpoint.id AND earlier.task_id = due.task_id
              AND earlier.status = 'pending' AND earlier.task_seq < due.task_seq
              AND earlier.failures < :park_after)
        UNION ALL SELECT seq FROM {_NEWEST_LANES}
        LIMIT :per_endpoint)"""

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

_HEAD: Final = Head.__struct_fields__
_FAILURE: Final = DeliveryFailure.__struct_fields__


class OutboxQueries(Queries):
    """The reads of the deliverer."""

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        given = {
            "now": now,
            "endpoints": list(endpoint_ids),
            "per_endpoint": PER_ENDPOINT,
            "park_after": PARK_AFTER,
        }
        ends: dict[str, tuple[int | None, int]] = {}
        heads: dict[str, list[Head]] = {}
        for endpoint_id, next_at, pending, *head in await self._all(DUE_DELIVERIES, given):
            ends[endpoint_id] = (next_at, pending)
            found = heads.setdefault(endpoint_id, [])
            if head[1] is not None:
                found.append(Head(**dict(zip(_HEAD, (endpoint_id, *head), strict=True))))
        for found in heads.values():
            found.sort(key=lambda head: (head.due_at, head.seq))
        return {
            name: DueDeliveries(
                heads=tuple(heads[name]), next_at=next_at, is_all=len(heads[name]) == pending
            )
            for name, (next_at, pending) in ends.items()
        }

    async def pending_endpoints(self, after: str, limit: int) -> list[PendingEndpoint]:
        return [
            PendingEndpoint(endpoint_id=row[0], project=row[1], at=row[3] if row[2] else None)
            for row in await self._all(PENDING_ENDPOINTS, {"after": after, "limit": limit})
        ]

    async def failures(self) -> list[DeliveryFailure]:
        found = await self._all(FAILURES)
        return [DeliveryFailure(**dict(zip(_FAILURE, row, strict=True))) for row in found]

    async def changed_at(self, endpoint_ids: Sequence[str]) -> dict[str, int]:
        found = await self._all(CHANGED_AT, {"ids": list(endpoint_ids)})
        return {row[0]: row[1] for row in found}
