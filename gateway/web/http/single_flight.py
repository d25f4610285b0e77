"""One read for all who ask for the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs one call per key at a time; its result, or its error, is that of all who wait. The first
    caller runs it; if that one is cancelled, the next one does."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Future[V]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._running

    async def run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """The result of the running call of this key, or of this one."""
        while (running := self._running.get(key)) is not None:
            await asyncio.wait((running,))
            if not running.cancelled():
                return running.result()
        return await self._run(key, call)

    async def _run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        running = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            result = await call()
        except Exception as exc:
            running.set_exception(exc)
            running.exception()  # maybe nobody else waits for it
            raise
        else:
            running.set_result(result)
            return result
        finally:
            # Not in a callback, which runs a turn later: whoever asks between the two and does not
            # accept the result would wait for what is over, without a pause, for ever.
            del self._running[key]
            running.cancel()  # no effect on one that is done


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
