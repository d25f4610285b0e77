"""One read for all who ask at the same time."""

import asyncio

import pytest

from gateway.web.http.single_flight import SingleFlight


class Reads:
    """A read that each caller starts and the test ends."""

    def __init__(self) -> None:
        self.started = 0
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.started += 1
        return await asyncio.shield(self.end)


async def _asking(flight: SingleFlight[str, str], reads: Reads) -> list[asyncio.Task[str]]:
    asking = [asyncio.create_task(flight.run("key", reads)) for _ in range(3)]
    await asyncio.sleep(0)
    assert reads.started == 1
    return asking


async def test_all_who_ask_get_the_result_of_one_read() -> None:
    reads, flight = Reads(), SingleFlight[str, str]()
    asking = await _asking(flight, reads)
    reads.end.set_result("read")
    assert await asyncio.gather(*asking) == ["read"] * 3
    assert reads.started == 1
    assert "key" not in flight


async def test_an_error_is_that_of_all_who_ask() -> None:
    reads, flight = Reads(), SingleFlight[str, str]()
    asking = await _asking(flight, reads)
    reads.end.set_exception(OSError("gone"))
    for each in asking:
        with pytest.raises(OSError, match="gone"):
            await each


async def test_a_read_whose_caller_leaves_is_begun_again_by_the_next_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    reads, flight = Reads(), SingleFlight[str, str]()
    first, *others = await _asking(flight, reads)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert asyncio.all_tasks() - before == set(others), "nobody reads for the one who left"
    async with asyncio.timeout(10):
        while reads.started < 2:  # noqa: ASYNC110 - turns of the event loop
            await asyncio.sleep(0)
    reads.end.set_result("read")
    assert await asyncio.gather(*others) == ["read"] * 2
    assert reads.started == 2
