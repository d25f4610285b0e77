"""Counts for `/metrics`: each from an index that holds nothing else."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from gateway.domain.operations.gauges import Gauges
from gateway.store.sqlite.rows import Params, Row

TASK_COUNTS: Final = "SELECT status, count(*) FROM tasks GROUP BY status"

FLAG_COUNTS: Final = """
SELECT json_extract(flag.value, '$.code'), count(*)
FROM tasks AS task INDEXED BY tasks_flagged CROSS JOIN json_each(task.flags) AS flag
WHERE task.flags <> '[]' GROUP BY 1"""

UNDELIVERED_COUNTS: Final = """
SELECT 'pending', count(*) FROM deliveries INDEXED BY deliveries_due WHERE status = 'pending'
UNION ALL
SELECT 'held', count(*) FROM deliveries INDEXED BY deliveries_missed WHERE status = 'held'
UNION ALL
SELECT 'dead', count(*) FROM deliveries INDEXED BY deliveries_missed WHERE status = 'dead'"""

# From one endpoint that is owed something to the next, by the index; their number is what it costs.
OLDEST_DUE: Final = """
WITH RECURSIVE owed (endpoint_id) AS (
    SELECT ''
    UNION ALL
    SELECT (
        SELECT endpoint_id FROM deliveries INDEXED BY deliveries_due
        WHERE status = 'pending' AND endpoint_id > owed.endpoint_id ORDER BY endpoint_id LIMIT 1)
    FROM owed WHERE owed.endpoint_id IS NOT NULL)
SELECT min((
    SELECT next_attempt_at FROM deliveries INDEXED BY deliveries_due
    WHERE endpoint_id = owed.endpoint_id AND status = 'pending' AND next_attempt_at <= :now
    ORDER BY next_attempt_at LIMIT 1))
FROM owed"""

LIVE_LAUNCHERS: Final = """
SELECT count(*), coalesce(sum(capacity), 0) FROM launchers WHERE called_at >= :since"""

Query = Callable[[str, Params], Awaitable[Iterable[Row]]]


async def read_gauges(query: Query, *, now: int, since: int) -> Gauges:
    """The figures of now; a launcher is live that has called since then (milliseconds). Other
    reads come in between."""
    tasks = {row[0]: row[1] for row in await query(TASK_COUNTS, {})}
    flags = {row[0]: row[1] for row in await query(FLAG_COUNTS, {})}
    deliveries = {row[0]: row[1] for row in await query(UNDELIVERED_COUNTS, {})}
    ((oldest_due_at,),) = await query(OLDEST_DUE, {"now": now})
    ((launchers, places),) = await query(LIVE_LAUNCHERS, {"since": since})
    return Gauges(
        tasks=tasks,
        flags=flags,
        deliveries=deliveries,
        oldest_due_at=oldest_due_at,
        launchers=launchers,
        places=places,
    )
