"""Readers of the feed that go on at another gateway with their cursor, as long as it takes."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from tests.e2e.wait import LOOK_SECONDS

STAYS_SECONDS = (0.5, 4.0)
"""A stream's reader hangs up by itself after a while, and comes back to any gateway."""
FEED = "/v1/events"
Read = Callable[["Reader"], Awaitable[None]]


@dataclass(kw_only=True)
class Reader:
    """One reader, and the numbers of the events that it got."""

    name: str
    http: httpx.AsyncClient
    read: Read
    random: random.Random
    seqs: list[int] = field(default_factory=list)
    connections: int = 0

    @property
    def cursor(self) -> int:
        """The number of the last event it got."""
        return self.seqs[-1] if self.seqs else 0

    async def follow(self) -> None:
        """Reads on, whatever breaks."""
        while True:
            self.connections += 1
            try:
                await self.read(self)
            except httpx.TransportError:
                await asyncio.sleep(LOOK_SECONDS)

    def problems(self, events: list[int]) -> list[str]:
        """Everything that it missed, got twice or got too early, of all events."""
        if self.seqs == events:
            return []
        missed = sorted({*events} - {*self.seqs})
        strange = sorted({*self.seqs} - {*events})
        twice = len(self.seqs) - len({*self.seqs})
        return [
            f"{self.name}: missed {missed}, not in the log {strange}, {twice} twice or unordered"
        ]


async def stream(reader: Reader) -> None:
    """Server-sent events, as an EventSource reads them."""
    headers = {"accept": "text/event-stream", "last-event-id": str(reader.cursor)}
    async with reader.http.stream("GET", FEED, headers=headers) as response:
        if not response.is_success:
            await asyncio.sleep(LOOK_SECONDS)
            return
        number = 0
        hang_up = asyncio.get_running_loop().time() + reader.random.uniform(*STAYS_SECONDS)
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                number = int(line.removeprefix("id: "))
            elif not line and number:  # an event is whole at the empty line behind it
                reader.seqs.append(number)
                number = 0
                if asyncio.get_running_loop().time() > hang_up:
                    return


async def poll(reader: Reader) -> None:
    """One long poll."""
    await _page(reader, wait=5, limit=200)


async def page(reader: Reader) -> None:
    """One page, at once."""
    await _page(reader, limit=7)
    await asyncio.sleep(LOOK_SECONDS)


async def _page(reader: Reader, **query: int) -> None:
    answer = await reader.http.get(FEED, params={"after": reader.cursor, **query})
    if answer.is_success:
        reader.seqs += [event["seq"] for event in answer.json()["data"]]
    else:
        await asyncio.sleep(LOOK_SECONDS)


KINDS: dict[str, Read] = {"stream": stream, "long poll": poll, "pages": page}
