"""Requests that receivers recorded, compared with the deliveries in the database."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from gateway.store.location import Location
from tests.e2e.arrivals import Span
from tests.e2e.database import rows
from tests.e2e.faulty_receiver import Arrival

ATTEMPTS: Final = 10
"""Attempts of the schedule."""
LATE_AFTER: Final = 3
OPEN: Final = """
SELECT count(*) FROM deliveries WHERE endpoint_id = :endpoint AND status IN ('pending', 'held')"""
FAILING: Final = """
SELECT count(*) FROM deliveries
WHERE endpoint_id = :endpoint AND status = 'pending' AND failures > 0"""
UNOWED: Final = """
SELECT 'event ' || event.seq || ' owes nothing' FROM events AS event
WHERE event.applied = 1 AND event.seq > :since AND event.type LIKE 'task.%'
  AND event.type NOT IN ('task.heartbeat', 'task.log') AND NOT EXISTS (
    SELECT 1 FROM deliveries WHERE endpoint_id = :endpoint AND seq = event.seq)"""
UNEXPLAINED: Final = """
SELECT 'event ' || delivery.seq || ' is dead after ' || delivery.failures || ' failures: '
    || coalesce(attempt.reason, 'nobody knows why')
FROM deliveries AS delivery LEFT JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = delivery.endpoint_id AND attempt.seq = delivery.seq
    AND attempt.number = delivery.attempts
WHERE delivery.endpoint_id = :endpoint AND delivery.status = 'dead'
  AND (delivery.failures < :attempts OR attempt.reason IS NULL)"""
STOOD: Final = """
SELECT task_id, task_seq, status FROM deliveries WHERE endpoint_id = :endpoint"""
FAILURES: Final = """
SELECT delivery.task_id, delivery.task_seq, count(*) FROM delivery_attempts AS attempt
JOIN deliveries AS delivery USING (endpoint_id, seq)
WHERE attempt.endpoint_id = :endpoint AND attempt.reason IS NOT NULL GROUP BY 1, 2"""

Key = tuple[str, int]
"""A task, and the place of an event in it."""


class Account:
    """One endpoint, and what came to it."""

    def __init__(self, database: Location, endpoint_id: str) -> None:
        self._database = database
        self._endpoint_id = endpoint_id

    def open(self) -> int:
        """The number of deliveries that are not over."""
        return int(self._rows(OPEN)[0][0])

    def failing(self) -> int:
        """The number of deliveries that wait for another attempt."""
        return int(self._rows(FAILING)[0][0])

    def standings(self) -> dict[Key, str]:
        """The final state of each delivery."""
        found = self._rows(STOOD)
        return {(task, number): status for task, number, status in found}

    def problems(
        self, arrivals: Sequence[Arrival], outages: Sequence[Span], *, since: int
    ) -> list[str]:
        """Everything that is not as promised, of the events behind this number."""
        unowed = self._rows(UNOWED, since=since)
        unexplained = self._rows(UNEXPLAINED, attempts=ATTEMPTS)
        return [
            *(line for (line,) in (*unowed, *unexplained)),
            *self._lost(arrivals),
            *self._unmarked(arrivals),
            *self._marked_without_reason(arrivals),
            *_doubled(arrivals, outages),
        ]

    def _lost(self, arrivals: Sequence[Arrival]) -> list[str]:
        taken = {_key(each) for each in arrivals if each.ending == "taken"}
        delivered = {key for key, status in self.standings().items() if status == "delivered"}
        return [f"{key} is delivered, and was never taken" for key in delivered - taken]

    def _unmarked(self, arrivals: Sequence[Arrival]) -> list[str]:
        """Webhooks that came first after a later event of their task, without the header that says
        so; a repetition overtakes nothing."""
        newest: defaultdict[str, int] = defaultdict(int)
        seen: set[Key] = set()
        found = []
        for each in arrivals:
            is_overtaken = each.task_seq < newest[each.task] and _key(each) not in seen
            if is_overtaken and not each.is_late:
                found.append(f"{_key(each)} came after {newest[each.task]}, unmarked")
            newest[each.task] = max(newest[each.task], each.task_seq)
            seen.add(_key(each))
        return found

    def _marked_without_reason(self, arrivals: Sequence[Arrival]) -> list[str]:
        failures = {(task, number): count for task, number, count in self._rows(FAILURES)}
        late = {_key(each) for each in arrivals if each.is_late}
        return [
            f"{key} is late and was not parked" for key in late if failures.get(key, 0) < LATE_AFTER
        ]

    def _rows(self, statement: str, **given: object) -> list[Any]:
        return rows(self._database, statement, endpoint=self._endpoint_id, **given)


def _doubled(arrivals: Sequence[Arrival], outages: Sequence[Span]) -> list[str]:
    """Webhooks that came again after they were taken, though no gateway died since the start of the
    attempt that was taken."""
    of: defaultdict[Key, list[Arrival]] = defaultdict(list)
    for each in arrivals:
        of[_key(each)].append(each)
    return [
        f"{key} came again"
        for key, moments in of.items()
        for first, second in pairwise(moments)
        if first.ending == "taken"
        and not any(first.attempt_at <= end and second.at >= begin for begin, end in outages)
    ]


def _key(arrival: Arrival) -> Key:
    return (arrival.task, arrival.task_seq)
