"""The history in the store: bounded reads of what ended last."""

from typing import Final

from gateway.domain.operations.history import DAY, HOURS, SAMPLE, Ends, History, durations
from gateway.domain.operations.status import HOUR
from gateway.store.sql.connection import Queries

ENDS: Final = """
SELECT since / 3600000 AS hour, status, sum(count) FROM task_groups
WHERE kind = 'hour' AND since >= :since AND (CAST(:project AS TEXT) IS NULL OR project = :project)
GROUP BY hour, status HAVING sum(count) > 0"""

# The newest of one project are looked for among the newest of all.
TIMES: Final = """
SELECT created_at, started_at, finished_at
FROM (
    SELECT project, created_at, started_at, finished_at FROM tasks INDEXED BY tasks_finished
    WHERE finished_at >= :since ORDER BY finished_at DESC LIMIT :most) AS ended
WHERE CAST(:project AS TEXT) IS NULL OR project = :project LIMIT :limit"""

LOOKED_AT: Final = 2_000
"""Ended tasks among which those of a project are looked for: a few milliseconds."""

# To a receiver that took an event: from the event to the end of the attempt that arrived.
DELIVERED: Final = """
SELECT attempt.at + attempt.duration_ms - event.at
FROM (
    SELECT id, project FROM tasks INDEXED BY tasks_finished
    WHERE finished_at >= :since ORDER BY finished_at DESC LIMIT :most) AS ended
CROSS JOIN deliveries AS delivery INDEXED BY deliveries_of_task
    ON delivery.task_id = ended.id AND delivery.status = 'delivered'
CROSS JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = delivery.endpoint_id AND attempt.seq = delivery.seq
    AND attempt.status BETWEEN 200 AND 299
CROSS JOIN events AS event ON event.seq = delivery.seq
WHERE CAST(:project AS TEXT) IS NULL OR ended.project = :project LIMIT :limit"""


class HistoryQueries(Queries):
    """The reads of the charts."""

    async def history(self, project: str | None, now: int) -> History:
        newest: dict[str, object] = {
            "project": project,
            "since": now - DAY,
            "limit": SAMPLE,
            "most": LOOKED_AT,
        }
        times = list(await self._all(TIMES, newest))
        delivered = [row[0] for row in await self._all(DELIVERED, newest)]
        wanted = {"project": project, "since": (now // HOUR - HOURS + 1) * HOUR}
        return History(
            ends=tuple(
                Ends(hour=hour, status=state, count=count)
                for hour, state, count in await self._all(ENDS, wanted)
            ),
            durations=(
                durations("until it runs", [_between(one[0], one[1]) for one in times]),
                durations("from there to its end", [_between(one[1], one[2]) for one in times]),
                durations("from an event to its receiver", delivered),
            ),
        )


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else end - start
