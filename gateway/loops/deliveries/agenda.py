"""The agenda: when each endpoint is next owed something. Moments in milliseconds."""

from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Final

Queue = tuple[str, bool]
"""A project, and whether its endpoints in this queue are proven: what may start differs."""


class Agenda:
    """Endpoints by queue, in the order in which they come due.

    It is kept in memory, so that the price of a look is that of the endpoints looked at, however
    many others are owed something.
    """

    def __init__(self) -> None:
        self._due: Final[dict[str, tuple[Queue, int, int]]] = {}
        self._queues: Final[dict[Queue, list[tuple[int, int, str]]]] = {}
        self._numbers = count()

    def note(self, queue: Queue, endpoint_id: str, at: int) -> None:
        """Due no later than then; behind those of its queue that are noted for that moment."""
        known = self._due.get(endpoint_id)
        if known is not None:
            at = min(at, known[1])
            if known[:2] == (queue, at):
                return
        number = next(self._numbers)
        self._due[endpoint_id] = (queue, at, number)
        heappush(self._queues.setdefault(queue, []), (at, number, endpoint_id))

    def queues(self) -> Iterable[Queue]:
        """Those that hold something."""
        return tuple(self._queues)

    def next_at(self, queue: Queue) -> int | None:
        """When its first endpoint comes due."""
        waiting = self._queues.get(queue, [])
        while waiting:
            at, number, endpoint_id = waiting[0]
            if self._due.get(endpoint_id) == (queue, at, number):
                return at
            heappop(waiting)  # noted for an earlier moment, or in another queue, since
        self._queues.pop(queue, None)
        return None

    def pop(self, queue: Queue, now: int) -> str | None:
        """Its first endpoint that is due, no longer noted; None: nothing is."""
        at = self.next_at(queue)
        if at is None or at > now:
            return None
        _, _, endpoint_id = heappop(self._queues[queue])
        del self._due[endpoint_id]
        return endpoint_id
