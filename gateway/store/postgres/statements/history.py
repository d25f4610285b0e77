"""The history in PostgreSQL's own words."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import history

OWN: Final[Mapping[str, str]] = {
    # One ended task after the other, up to the limit: a join might read all deliveries.
    history.DELIVERED: """
SELECT arrived.after
FROM (
    SELECT id, project, finished_at FROM tasks
    WHERE finished_at >= :since ORDER BY finished_at DESC LIMIT :most) AS ended
CROSS JOIN LATERAL (
    SELECT attempt.at + attempt.duration_ms - event.at AS after
    FROM deliveries AS delivery
    JOIN delivery_attempts AS attempt
        ON attempt.endpoint_id = delivery.endpoint_id AND attempt.seq = delivery.seq
        AND attempt.status BETWEEN 200 AND 299
    JOIN events AS event ON event.seq = delivery.seq
    WHERE delivery.task_id = ended.id AND delivery.status = 'delivered' LIMIT :limit) AS arrived
WHERE CAST(:project AS TEXT) IS NULL OR ended.project = :project
ORDER BY ended.finished_at DESC LIMIT :limit""",
}
