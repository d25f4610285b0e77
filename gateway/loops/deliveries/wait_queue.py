"""The wait queue of an endpoint: deliveries whose messages are ready, so that the next one goes the
moment another has been answered, and the store is read for many at once."""

import asyncio
from collections import deque
from typing import Final

PLACES: Final = 64
"""Deliveries that may wait for one endpoint."""
WAIT_SECONDS: Final = 0.25
"""Longest wait of a delivery; then the rows that it was read from are too old."""


class WaitQueue:
    """First in, first out. A delivery enters when it is admitted, and waits once its message is
    built."""

    def __init__(self) -> None:
        self._size = 0
        self._turns: Final[deque[asyncio.Future[bool]]] = deque()

    def __len__(self) -> int:
        return self._size

    def enter(self) -> "WaitQueue":
        """Take a place."""
        self._size += 1
        return self

    def leave(self) -> None:
        """Give the place back."""
        self._size -= 1

    async def wait(self) -> bool:
        """Wait to be called; False after `WAIT_SECONDS`."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._turns.append(turn)
        timer = loop.call_later(WAIT_SECONDS, _resolve, turn, False)
        try:
            return await turn
        finally:
            timer.cancel()
            if turn in self._turns:
                self._turns.remove(turn)

    def call(self) -> bool:
        """Call the delivery that has waited longest; False if none waits."""
        while self._turns:
            if _resolve(self._turns.popleft(), True):
                return True
        return False


def _resolve(turn: asyncio.Future[bool], is_called: bool) -> bool:
    """False if nobody awaits it any more."""
    if turn.done():
        return False
    turn.set_result(is_called)
    return True
