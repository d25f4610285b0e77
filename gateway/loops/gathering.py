"""Questions that come up together, answered by one read."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """Who asks first reads for all who ask in the same turn of the event loop."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._asked: list[tuple[K, asyncio.Future[V | None]]] = []

    async def ask(self, key: K) -> V | None:
        """The answer; None if there is none to this key. Raises what the read raises."""
        asked = self._asked
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        asked.append((key, answer))
        if len(asked) == 1:
            await self._answer(asked)
        return await answer

    async def _answer(self, asked: list[tuple[K, "asyncio.Future[V | None]"]]) -> None:
        try:
            try:
                await asyncio.sleep(0)
            finally:
                self._asked = []
            found = await self._read([key for key, _ in asked])
        except BaseException as error:
            # One that is cancelled reads for the others no longer: they must not wait for it.
            for _, answer in asked:
                _fail(answer, error)
            raise
        for key, answer in asked:
            if not answer.done():
                answer.set_result(found.get(key))


def _fail(answer: asyncio.Future[V | None], error: BaseException) -> None:
    if answer.done():
        return
    if isinstance(error, Exception):
        answer.set_exception(error)
        answer.exception()  # whoever asked first hears of it by the raise
    else:
        answer.cancel()
