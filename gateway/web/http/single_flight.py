"""One read for all who ask for the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs one call per key at a time; its result, or its error, is that of all who wait."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._running

    async def run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """The result of the running call of this key, or of this one; no caller can cancel it."""
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(self._run(key, call))
            running.add_done_callback(_retrieve)
            self._running[key] = running
        return await asyncio.shield(running)

    async def _run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        try:
            return await call()
        finally:
            # Not in a callback, which runs a turn later: whoever asks between the two and does not
            # accept the result would wait for what is over, without a pause, for ever.
            del self._running[key]


class Cached(Generic[V]):
    """A value that is read again once it is `keep` milliseconds old; an error is not kept."""

    def __init__(
        self, read: Callable[[], Awaitable[V]], *, keep: int, clock: Callable[[], int]
    ) -> None:
        self._read = read
        self._keep = keep
        self._clock = clock
        self._flight = SingleFlight[None, tuple[V, int]]()
        self._kept: tuple[V, int] | None = None

    async def __call__(self) -> V:
        # A clock that was set back makes it old too.
        if self._kept is None or not 0 <= self._clock() - self._kept[1] < self._keep:
            self._kept = await self._flight.run(None, self._read_now)
        return self._kept[0]

    async def _read_now(self) -> tuple[V, int]:
        at = self._clock()
        return await self._read(), at


def _retrieve(running: asyncio.Task[V]) -> None:
    """Takes an error that nobody waits for any more, which asyncio would report as forgotten."""
    if not running.cancelled():
        running.exception()
