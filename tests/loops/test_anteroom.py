"""Who waits before a gate is called in turn, and not for long."""

import asyncio

from gateway.loops.anteroom import PATIENCE, Anteroom


async def test_whoever_waits_longest_is_called_first() -> None:
    anteroom, called = Anteroom(), []

    async def wait(name: str) -> None:
        if await anteroom.wait("ep_1"):
            called.append(name)

    async with asyncio.TaskGroup() as group:
        for name in ("first", "second"):
            group.create_task(wait(name))
        await asyncio.sleep(0)
        assert anteroom.call("ep_1")
        await asyncio.sleep(0)
        assert called == ["first"]
        assert anteroom.call("ep_1")
    assert called == ["first", "second"]


async def test_nobody_is_called_where_nobody_waits() -> None:
    assert not Anteroom().call("ep_1")


async def test_patience_ends() -> None:
    anteroom = Anteroom()
    began = asyncio.get_running_loop().time()
    assert not await anteroom.wait("ep_1")
    assert asyncio.get_running_loop().time() - began >= PATIENCE * 0.9
    assert not anteroom.call("ep_1")


async def test_one_that_was_cancelled_is_passed_over() -> None:
    anteroom = Anteroom()
    first, second = (asyncio.create_task(anteroom.wait("ep_1")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert anteroom.call("ep_1")
    assert await second


async def test_it_knows_how_many_are_there() -> None:
    anteroom = Anteroom()
    for name in ("ep_1", "ep_1", "ep_2"):
        anteroom.enter(name)
    assert (anteroom.number("ep_1"), anteroom.total()) == (2, 3)
    anteroom.leave("ep_1")
    assert (anteroom.number("ep_1"), anteroom.total()) == (1, 2)
