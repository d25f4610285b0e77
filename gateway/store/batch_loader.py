"""One read for all keys asked for in one turn of the event loop (the DataLoader pattern)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from gateway.domain.kernel.errors import Unavailable

K = TypeVar("K")
V = TypeVar("V")
Asked = list[tuple[K, asyncio.Future[V | None]]]


class BatchLoader(Generic[K, V]):
    """Batches all `load()` calls of one event-loop turn into one read."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._asked: Asked[K, V] = []

    async def load(self, key: K) -> V | None:
        """The value; None if there is none to this key. Raises what reading it alone raises."""
        asked = self._asked
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        asked.append((key, answer))
        if len(asked) == 1:
            await self._begin(asked)
        return await answer

    async def _begin(self, asked: Asked[K, V]) -> None:
        try:
            try:
                await asyncio.sleep(0)
            finally:
                self._asked = []
            await self._answer(asked)
        except BaseException as error:
            # One that is cancelled reads for the others no longer: they must not wait for it.
            for _, answer in asked:
                _fail(answer, error)
            raise

    async def _answer(self, asked: Asked[K, V]) -> None:
        """A key that breaks the read must not fail its neighbours: the batch is halved until the
        guilty one stands alone."""
        try:
            found = await self._read([key for key, _ in asked])
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whoever asked for the key gets it
            if len(asked) == 1:
                _fail(asked[0][1], error)
                return
        else:
            for key, answer in asked:
                if not answer.done():
                    answer.set_result(found.get(key))
            return
        middle = len(asked) // 2
        await self._answer(asked[:middle])
        await self._answer(asked[middle:])


def _fail(answer: asyncio.Future[V | None], error: BaseException) -> None:
    if answer.done():
        return
    if isinstance(error, Exception):
        answer.set_exception(error)
        answer.exception()  # nobody may listen any more
    else:
        answer.cancel()
