"""What was found lately is good enough for everybody who asks again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class SingleFlight(Generic[V]):
    """One look at a time for all who ask; none of them can cancel it. What was found is kept for a
    while; a failure is not, for it may be over."""

    def __init__(
        self, look: Callable[[], Awaitable[V]], *, keep: int, clock: Callable[[], int]
    ) -> None:
        self._look = look
        self._keep = keep
        """Milliseconds."""
        self._clock = clock
        self._asked: asyncio.Future[V] | None = None
        self._asked_at = 0

    async def __call__(self) -> V:
        """What was found within that time, or is found now."""
        asked = self._asked
        if asked is None or (asked.done() and (self._is_old or asked.exception())):
            self._asked_at = self._clock()
            asked = self._asked = asyncio.ensure_future(self._look())
        return await asyncio.shield(asked)

    @property
    def _is_old(self) -> bool:
        # A clock that was set back makes it old too.
        return not 0 <= self._clock() - self._asked_at < self._keep
