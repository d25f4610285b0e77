"""The wait queue of each endpoint: deliveries whose messages are ready, so that the next one goes
the moment another has been answered, and the store is read for many at once."""

import asyncio
from collections import Counter, defaultdict, deque
from typing import Final

PLACES: Final = 16
"""Deliveries that may wait for one endpoint."""
PATIENCE: Final = 0.25
"""Seconds one waits; then what was read of it is too old, and it is read again."""


class WaitQueue:
    """Deliveries that wait for their endpoint."""

    def __init__(self) -> None:
        self._present: Counter[str] = Counter()
        self._turns: defaultdict[str, deque[asyncio.Future[bool]]] = defaultdict(deque)

    def enter(self, endpoint_id: str) -> None:
        """One more is there."""
        self._present[endpoint_id] += 1

    def leave(self, endpoint_id: str) -> None:
        """One less: it has room now, or has given up."""
        self._present[endpoint_id] -= 1
        if not self._present[endpoint_id]:
            del self._present[endpoint_id]

    def number(self, endpoint_id: str) -> int:
        """How many are there."""
        return self._present[endpoint_id]

    async def wait(self, endpoint_id: str) -> bool:
        """Until it is called; False: it was not, for as long as it has patience."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        waiting = self._turns[endpoint_id]
        waiting.append(turn)
        timer = loop.call_later(PATIENCE, _tell, turn, False)
        try:
            return await turn
        finally:
            timer.cancel()
            if turn in waiting:
                waiting.remove(turn)
            if not waiting:
                self._turns.pop(endpoint_id, None)

    def call(self, endpoint_id: str) -> bool:
        """Calls whoever has waited longest; False: nobody waits."""
        waiting = self._turns.get(endpoint_id)
        while waiting:
            if _tell(waiting.popleft(), True):
                return True
        return False


def _tell(turn: asyncio.Future[bool], is_called: bool) -> bool:
    """Whether it still listened."""
    if turn.done():
        return False
    turn.set_result(is_called)
    return True
