"""Pages of feeds as streams send them: readers that stand at the same place share one read and the
bytes it became."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.domain.event import Event
from gateway.store.feeds import FeedPage
from gateway.web.views import event_view

KEPT_BYTES: Final = 4 * 1024 * 1024
"""Of pages already read, for readers that come to the same place a little later."""
CHUNK_BYTES: Final = 64 * 1024
"""Roughly; a slow reader holds back the feed after each chunk, and no more than that waits."""

Place = tuple[str, int]
"""(feed, the number behind which the page begins)."""
Read = Callable[[], Awaitable[FeedPage]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A piece of a feed as it is sent."""

    chunks: tuple[bytes, ...]
    cursor: int
    """Behind which it goes on."""
    is_end: bool
    """Whether there was nothing behind it."""

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.chunks))


class Pages:
    """What was once read behind a number stays true: more may follow, but nothing in between."""

    def __init__(self, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[Place, Written] = OrderedDict()
        self._size = 0
        self._reading: dict[Place, tuple[int, asyncio.Task[Written]]] = {}
        self._begun = 0

    async def behind(self, feed: str, after: int, read: Read) -> Written:
        """The events of the feed behind a number, as many as `read` gives.

        Everything that was committed before the call is in it: that there is nothing is believed
        only of a read that began later.
        """
        place, asked = (feed, after), self._begun
        while True:
            if place in self._kept:
                return self._kept[place]
            if place not in self._reading:
                self._begin(place, read)
            number, reading = self._reading[place]
            page = await asyncio.shield(reading)  # no reader that leaves may cancel it
            if page.chunks or number > asked:
                return page

    def _begin(self, place: Place, read: Read) -> None:
        self._begun += 1
        reading = asyncio.ensure_future(self._read(place, read))
        reading.add_done_callback(_noticed)
        self._reading[place] = (self._begun, reading)

    async def _read(self, place: Place, read: Read) -> Written:
        try:
            page = await _write(read)
        finally:
            # Here and not when it is noticed to be done: who comes between the two would wait for
            # what is over, without a pause, for ever.
            del self._reading[place]
        if page.chunks:
            self._keep(place, page)
        return page

    def _keep(self, place: Place, page: Written) -> None:
        self._kept[place] = page
        self._size += page.size
        while self._size > self._kept_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size


def _noticed(reading: asyncio.Task[Written]) -> None:
    """An error that nobody waits for any more is not one that was forgotten."""
    if not reading.cancelled():
        reading.exception()


async def _write(read: Read) -> Written:
    page = await read()
    return Written(chunks=tuple(_chunks(page.events)), cursor=page.cursor, is_end=page.is_end)


def _chunks(events: Iterable[Event]) -> Iterator[bytes]:
    chunk = b""
    for event in events:
        text = msgspec.json.encode(event_view(event))
        # What an agent sent is kept as it came, and may hold line breaks between its values.
        line = text.replace(b"\r", b" ").replace(b"\n", b" ")
        chunk += b"id: %d\r\ndata: %b\r\n\r\n" % (event.seq, line)
        if len(chunk) >= CHUNK_BYTES:
            yield chunk
            chunk = b""
    if chunk:
        yield chunk
