"""What is asked together is read together, and nobody waits for a read that failed."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.loops.gathering import Gathering


class Shelf:
    """Knows the squares of all numbers but one, and counts how often it is asked."""

    def __init__(self) -> None:
        self.reads: list[Sequence[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.reads.append(keys)
        await self.gate.wait()
        if 0 in keys:
            raise LookupError
        return {key: key * key for key in keys if key != 13}


async def test_those_who_ask_in_the_same_turn_share_a_read() -> None:
    shelf = Shelf()
    gathering = Gathering(shelf.read)
    assert await asyncio.gather(*map(gathering.ask, (2, 3, 13))) == [4, 9, None]
    assert await gathering.ask(4) == 16
    assert shelf.reads == [[2, 3, 13], [4]]


async def test_a_read_that_fails_fails_all_who_asked_and_nobody_after_them() -> None:
    gathering = Gathering(Shelf().read)
    asked = await asyncio.gather(*map(gathering.ask, (1, 0)), return_exceptions=True)
    assert [type(each) for each in asked] == [LookupError, LookupError]
    assert await gathering.ask(2) == 4


@pytest.mark.parametrize("is_reading", [False, True], ids=["before it reads", "while it reads"])
async def test_nobody_waits_for_one_who_was_cancelled(is_reading: bool) -> None:
    shelf = Shelf()
    shelf.gate.clear()
    gathering = Gathering(shelf.read)
    first, second = (asyncio.ensure_future(gathering.ask(key)) for key in (2, 3))
    for _ in range(3 if is_reading else 1):
        await asyncio.sleep(0)
    assert bool(shelf.reads) == is_reading
    first.cancel()
    await asyncio.wait({first, second}, timeout=10)
    assert (first.cancelled(), second.cancelled()) == (True, True)
    shelf.gate.set()
    assert await gathering.ask(4) == 16
