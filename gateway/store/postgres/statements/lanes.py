"""Lanes in PostgreSQL's own words: it seeks in an index row by row only where a subquery is
LATERAL, and has no LIMIT within a recursion."""

# ruff: noqa: S608 - what is put into a statement here is a constant

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import lanes

_LOOKED_AT: Final = 256
"""Of the pending deliveries of an endpoint, those that were due the longest."""

# Behind as many as are looked at, there may be other lanes.
_NEWEST_LANES: Final = f"""
WITH RECURSIVE lane (task_id, place) AS (
    SELECT (
        SELECT task_id FROM deliveries
        WHERE endpoint_id = endpoint.id AND status = 'pending'
        ORDER BY task_id DESC LIMIT 1), 1
    WHERE endpoint.pending >= {_LOOKED_AT}
    UNION ALL
    SELECT (
        SELECT task_id FROM deliveries
        WHERE endpoint_id = endpoint.id AND status = 'pending'
          AND task_id < lane.task_id ORDER BY task_id DESC LIMIT 1), lane.place + 1
    FROM lane WHERE lane.task_id IS NOT NULL AND lane.place < 32)
SELECT head.* FROM lane CROSS JOIN LATERAL (
    SELECT * FROM deliveries
    WHERE endpoint_id = endpoint.id AND status = 'pending' AND task_id = lane.task_id
      AND failures < :park_after ORDER BY task_seq LIMIT 1) AS head
WHERE head.next_attempt_at <= :now"""

OWN: Final[Mapping[str, str]] = {
    lanes.PENDING_ENDPOINTS: """
WITH RECURSIVE pending (endpoint_id) AS (
    SELECT (
        SELECT endpoint_id FROM deliveries
        WHERE status = 'pending' AND endpoint_id > :after ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT endpoint_id FROM deliveries
        WHERE status = 'pending' AND endpoint_id > pending.endpoint_id
        ORDER BY endpoint_id LIMIT 1)
    FROM pending WHERE pending.endpoint_id IS NOT NULL),
-- The recursion goes no further than its rows are asked for.
owed AS (SELECT endpoint_id FROM pending WHERE endpoint_id IS NOT NULL LIMIT :limit)
SELECT endpoint.id, endpoint.project, endpoint.enabled, (
    SELECT next_attempt_at FROM deliveries
    WHERE endpoint_id = owed.endpoint_id AND status = 'pending' ORDER BY next_attempt_at LIMIT 1)
FROM owed JOIN endpoints AS endpoint ON endpoint.id = owed.endpoint_id
ORDER BY endpoint.id""",
    lanes.DUE_DELIVERIES: f"""
WITH endpoint AS MATERIALIZED (
    SELECT endpoints.id, project, rate_per_second, (
            SELECT next_attempt_at FROM deliveries
            WHERE endpoint_id = endpoints.id AND status = 'pending' AND next_attempt_at > :now
            ORDER BY next_attempt_at LIMIT 1) AS next_at, (
            SELECT count(*) FROM (
                SELECT 1 FROM deliveries
                WHERE endpoint_id = endpoints.id AND status = 'pending'
                LIMIT {_LOOKED_AT}) AS first) AS pending
    FROM json_each(:endpoints) AS wanted
    JOIN endpoints ON endpoints.id = wanted.value AND enabled = 1)
SELECT
    endpoint.id, endpoint.next_at, endpoint.pending,
    endpoint.project, head.seq, head.task_id, head.attempts, head.failures,
    head.trigger, head.next_attempt_at, head.repeats, endpoint.rate_per_second
FROM endpoint LEFT JOIN LATERAL (
    SELECT DISTINCT ON (found.seq) found.* FROM (
        (SELECT due.* FROM (
            SELECT * FROM deliveries
            WHERE endpoint_id = endpoint.id AND status = 'pending' AND next_attempt_at <= :now
            ORDER BY next_attempt_at, seq LIMIT {_LOOKED_AT}) AS due
        WHERE (
            SELECT task_seq FROM deliveries AS earlier
            WHERE earlier.endpoint_id = endpoint.id AND earlier.task_id = due.task_id
              AND earlier.status = 'pending' AND earlier.task_seq < due.task_seq
              AND earlier.failures < :park_after
            ORDER BY earlier.task_seq LIMIT 1) IS NULL)
        UNION ALL ({_NEWEST_LANES})
        LIMIT :per_endpoint) AS found) AS head ON true""",
    lanes.FAILURES: """
SELECT endpoint.id, endpoint.failing_since, attempt.at, attempt.reason
FROM endpoints AS endpoint
CROSS JOIN LATERAL (
    SELECT seq FROM deliveries
    WHERE endpoint_id = endpoint.id AND status = 'pending'
    ORDER BY next_attempt_at DESC, seq DESC LIMIT 64) AS delivery
JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = endpoint.id AND attempt.seq = delivery.seq
WHERE endpoint.failing_since IS NOT NULL AND endpoint.enabled = 1
  AND attempt.reason IS NOT NULL AND attempt.at >= endpoint.failing_since
ORDER BY attempt.at""",
}
