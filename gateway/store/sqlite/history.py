"""The history in the store: bounded reads of what ended last."""

from typing import Final

from gateway.domain.operations.history import DAY, SAMPLE, Ends, History, durations
from gateway.store.sqlite.connection import Queries

ENDS: Final = """
SELECT finished_at / 3600000 AS hour, status, count(*)
FROM tasks INDEXED BY tasks_finished
WHERE finished_at >= :since AND (:project IS NULL OR project = :project)
GROUP BY hour, status ORDER BY hour"""

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
        ends = await self._all(ENDS, {"project": project, "since": now - DAY})
        return History(
            ends=tuple(Ends(hour=hour, status=state, count=count) for hour, state, count in ends),
            durations=(
                durations("until it runs", [_between(one[0], one[1]) for one in times]),
                durations("from there to its end", [_between(one[1], one[2]) for one in times]),
                durations("from an event to its receiver", delivered),
            ),
        )


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else end - start
