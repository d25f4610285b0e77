"""Deliveries that wait for their endpoint are called in turn, and do not wait for long."""

import asyncio

from gateway.loops.deliveries.wait_queue import WAIT_SECONDS, WaitQueue


async def test_whoever_waits_longest_is_called_first() -> None:
    queue, called = WaitQueue(), []

    async def wait(name: str) -> None:
        if await queue.wait():
            called.append(name)

    async with asyncio.TaskGroup() as group:
        for name in ("first", "second"):
            group.create_task(wait(name))
        await asyncio.sleep(0)
        assert queue.call()
        await asyncio.sleep(0)
        assert called == ["first"]
        assert queue.call()
    assert called == ["first", "second"]


async def test_nobody_is_called_where_nobody_waits() -> None:
    assert not WaitQueue().call()


async def test_a_wait_ends() -> None:
    queue = WaitQueue()
    began = asyncio.get_running_loop().time()
    assert not await queue.wait()
    assert asyncio.get_running_loop().time() - began >= WAIT_SECONDS * 0.9
    assert not queue.call()


async def test_one_that_was_cancelled_is_passed_over() -> None:
    queue = WaitQueue()
    first, second = (asyncio.create_task(queue.wait()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert queue.call()
    assert await second


def test_it_knows_how_many_are_there() -> None:
    queue = WaitQueue()
    queue.enter()
    queue.enter()
    assert len(queue) == 2
    queue.leave()
    assert len(queue) == 1
