"""The history in the store: bounded reads of what ended last."""

from typing import Final

from gateway.domain.operations.history import DAY, HOURS, SAMPLE, Ends, History, durations
from gateway.domain.operations.status import HOUR
from gateway.store.sqlite.connection import Queries

# An hour at a time: a day with a million ends takes 1.7 s, and others read in between.
ENDS: Final = """
SELECT status, count(*)
FROM tasks INDEXED BY tasks_finished
WHERE finished_at >= :since AND finished_at < :until
  AND (:project IS NULL OR project = :project)
GROUP BY status"""

TIMES: Final = """
SELECT created_at, started_at, finished_at
FROM tasks INDEXED BY tasks_finished
WHERE finished_at >= :since AND (:project IS NULL OR project = :project)
ORDER BY finished_at DESC LIMIT :limit"""

# To a receiver that took an event: from the event to the end of the attempt that arrived.
DELIVERED: Final = """
SELECT attempt.at + attempt.duration_ms - event.at
FROM (
    SELECT id FROM tasks INDEXED BY tasks_finished
    WHERE finished_at >= :since AND (:project IS NULL OR project = :project)
    ORDER BY finished_at DESC LIMIT :limit) AS ended
CROSS JOIN deliveries AS delivery INDEXED BY deliveries_of_task
    ON delivery.task_id = ended.id AND delivery.status = 'delivered'
CROSS JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = delivery.endpoint_id AND attempt.seq = delivery.seq
    AND attempt.status BETWEEN 200 AND 299
CROSS JOIN events AS event ON event.seq = delivery.seq
LIMIT :limit"""


class HistoryQueries(Queries):
    """The reads of the charts."""

    async def history(self, project: str | None, now: int) -> History:
        wanted: dict[str, object] = {"project": project, "since": now - DAY, "limit": SAMPLE}
        times = list(await self._all(TIMES, wanted))
        delivered = [row[0] for row in await self._all(DELIVERED, wanted)]
        return History(
            ends=await self._ends(project, now // HOUR),
            durations=(
                durations("until it runs", [_between(one[0], one[1]) for one in times]),
                durations("from there to its end", [_between(one[1], one[2]) for one in times]),
                durations("from an event to its receiver", delivered),
            ),
        )

    async def _ends(self, project: str | None, last: int) -> tuple[Ends, ...]:
        """The ends of the 24 hours up to this one."""
        found: list[Ends] = []
        for hour in range(last - HOURS + 1, last + 1):
            wanted = {"project": project, "since": hour * HOUR, "until": (hour + 1) * HOUR}
            rows = await self._all(ENDS, wanted)
            found += [Ends(hour=hour, status=state, count=count) for state, count in rows]
        return tuple(found)


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else end - start
