"""Names are looked up for all projects, however long the name servers of one take."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.loops.egress.resolver import THREADS, Resolver


class Names:
    """Name servers of which some do not answer before they are let go."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        if host.startswith("slow"):
            self.released.wait()
        if host.startswith("gone"):
            raise OSError("no such name")
        return ["8.8.8.8"]


async def test_one_project_whose_names_hang_does_not_keep_another_from_its_own() -> None:
    names = Names()
    resolve = Resolver(names)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        loud = [
            group.create_task(resolve(f"slow{n}.example", 443, "loud")) for n in range(THREADS * 2)
        ]
        await asyncio.sleep(0)
        for number in range(5):
            assert await resolve(f"quick{number}.example", 443, "quiet") == ["8.8.8.8"]
        assert sum(host.startswith("slow") for host in names.asked) == THREADS // 2
        names.released.set()
        await asyncio.gather(*loud)


async def test_a_look_up_that_nobody_waits_for_any_more_still_counts() -> None:
    names = Names()
    resolve = Resolver(names)
    abandoned = [
        asyncio.ensure_future(resolve(f"slow{n}.example", 443, "loud")) for n in range(THREADS // 2)
    ]
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
        for each in abandoned:
            each.cancel()
        await asyncio.wait(abandoned)
        waits = asyncio.ensure_future(resolve("quick.example", 443, "loud"))
        assert await resolve("quick.example", 443, "quiet") == ["8.8.8.8"]
        assert not waits.done()
        names.released.set()
        assert await waits == ["8.8.8.8"]


async def test_one_who_gives_up_waiting_keeps_nobody_else_from_a_turn() -> None:
    names = Names()
    resolve = Resolver(names)
    slow = [
        asyncio.ensure_future(resolve(f"slow{n}.example", 443, "a")) for n in range(THREADS // 2)
    ]
    waiting = [asyncio.ensure_future(resolve(f"quick{n}.example", 443, "a")) for n in range(3)]
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
        waiting[0].cancel()
        names.released.set()
        await asyncio.wait([*slow, *waiting])
        assert await waiting[2] == ["8.8.8.8"]


async def test_a_name_without_an_address_is_an_error() -> None:
    with pytest.raises(OSError, match="no such name"):
        await Resolver(Names())("gone.example", 443, "a")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_is_not_looked_up(host: str) -> None:
    names = Names()
    assert await Resolver(names)(host, 443, "a") == (host,)
    assert names.asked == []
