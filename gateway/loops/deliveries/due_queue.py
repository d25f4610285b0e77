"""The endpoints with undelivered messages, in the order in which they come due.

Times in milliseconds. It is kept in memory, so that a step costs what the endpoints looked at cost,
however many others have something pending.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Final

Queue = tuple[str, bool]
"""A project, and True for its proven endpoints: different limits hold for them."""


class DueQueue:
    """One priority queue for each `Queue`; an endpoint stands in one of them, once."""

    def __init__(self) -> None:
        self._due: Final[dict[str, tuple[Queue, int, int]]] = {}
        self._queues: Final[dict[Queue, list[tuple[int, int, str]]]] = {}
        self._numbers = count()

    def add(self, queue: Queue, endpoint_id: str, at: int) -> None:
        """Due no later than `at`, behind those of its queue that are due at that time."""
        known = self._due.get(endpoint_id)
        if known is not None:
            at = min(at, known[1])
            if known[:2] == (queue, at):
                return
        number = next(self._numbers)
        self._due[endpoint_id] = (queue, at, number)
        heappush(self._queues.setdefault(queue, []), (at, number, endpoint_id))

    def queues(self) -> Iterable[Queue]:
        """The queues that are not empty."""
        return tuple(self._queues)

    def next_at(self, queue: Queue) -> int | None:
        """The time at which the first endpoint of a queue comes due."""
        waiting = self._queues.get(queue, [])
        while waiting:
            at, number, endpoint_id = waiting[0]
            if self._due.get(endpoint_id) == (queue, at, number):
                return at
            heappop(waiting)  # replaced by an earlier time, or moved to another queue
        self._queues.pop(queue, None)
        return None

    def pop(self, queue: Queue, now: int) -> str | None:
        """Take the first endpoint of a queue that is due; None if none is."""
        at = self.next_at(queue)
        if at is None or at > now:
            return None
        _, _, endpoint_id = heappop(self._queues[queue])
        del self._due[endpoint_id]
        return endpoint_id
