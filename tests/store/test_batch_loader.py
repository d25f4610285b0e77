"""Concurrent loads share one read, and no caller waits for a read that failed."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.domain.kernel.errors import Unavailable
from gateway.store.batch_loader import BatchLoader


class Source:
    """Knows the squares of all numbers but one, and counts how often it is asked."""

    def __init__(self) -> None:
        self.reads: list[Sequence[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.reads.append(keys)
        await self.may_answer.wait()
        if 0 in keys:
            raise LookupError
        return {key: key * key for key in keys if key != 13}


async def test_those_who_ask_in_the_same_turn_share_a_read() -> None:
    source = Source()
    loader = BatchLoader(source.read)
    assert await asyncio.gather(*map(loader.load, (2, 3, 13))) == [4, 9, None]
    assert await loader.load(4) == 16
    assert source.reads == [[2, 3, 13], [4]]


async def test_a_key_that_breaks_the_read_fails_alone() -> None:
    source = Source()
    loader = BatchLoader(source.read)
    asked = await asyncio.gather(*map(loader.load, (1, 2, 0, 3)), return_exceptions=True)
    assert asked[:2] == [1, 4]
    assert isinstance(asked[2], LookupError)
    assert asked[3] == 9
    assert await loader.load(2) == 4


async def test_a_store_that_is_away_is_not_asked_again_for_each_key() -> None:
    reads = 0

    async def read(_: Sequence[int]) -> Mapping[int, int]:
        nonlocal reads
        reads += 1
        raise Unavailable("The disk failed.")

    loader = BatchLoader(read)
    asked = await asyncio.gather(*map(loader.load, (1, 2, 3)), return_exceptions=True)
    assert [type(each) for each in asked] == [Unavailable] * 3
    assert reads == 1


@pytest.mark.parametrize("is_reading", [False, True], ids=["before it reads", "while it reads"])
async def test_nobody_waits_for_one_who_was_cancelled(is_reading: bool) -> None:
    source = Source()
    source.may_answer.clear()
    loader = BatchLoader(source.read)
    first, second = (asyncio.ensure_future(loader.load(key)) for key in (2, 3))
    for _ in range(3 if is_reading else 1):
        await asyncio.sleep(0)
    assert bool(source.reads) == is_reading
    first.cancel()
    await asyncio.wait({first, second}, timeout=10)
    assert (first.cancelled(), second.cancelled()) == (True, True)
    source.may_answer.set()
    assert await loader.load(4) == 16
