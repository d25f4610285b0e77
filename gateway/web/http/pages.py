"""Pages of feeds as streams send them: readers that stand at the same place share one read and the
bytes it became."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

import msgspec

from gateway.domain.tasks.event import Event
from gateway.store.records import FeedPage
from gateway.web.tasks.views import event_view

KEPT_BYTES: Final = 4 * 1024 * 1024
"""Of pages already read, for readers that come to the same place a little later."""
CHUNK_BYTES: Final = 64 * 1024
"""Roughly; a slow reader holds back the feed after each chunk, and no more than that waits."""

Place = tuple[str, int]
"""(feed, the number behind which the page begins)."""
Read = Callable[[], Awaitable[FeedPage]]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a feed as it is sent."""

    chunks: tuple[bytes, ...]
    cursor: int
    """Behind which it goes on."""
    is_end: bool
    """Whether there was nothing behind it."""
    told: int
    """The hint about the feed that was the last one when it was read."""

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
        self._reading: dict[Place, asyncio.Task[Written]] = {}

    async def behind(self, feed: str, after: int, read: Read, *, told: int) -> Written:
        """The events of the feed behind a number, as many as `read` gives. `told` is the number of
        the last hint about it: that there is nothing is believed only of a read since then."""
        place = (feed, after)
        while True:
            if place in self._kept:
                return self._kept[place]
            if place not in self._reading:
                self._begin(place, read, told)
            # No reader that leaves may cancel it.
            page = await asyncio.shield(self._reading[place])
            if page.chunks or page.told >= told:
                return page

    def _begin(self, place: Place, read: Read, told: int) -> None:
        reading = asyncio.ensure_future(self._read(place, read, told))
        reading.add_done_callback(_noticed)
        self._reading[place] = reading

    async def _read(self, place: Place, read: Read, told: int) -> Written:
        try:
            page = await _write(read, told)
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


async def _write(read: Read, told: int) -> Written:
    page = await read()
    chunks = tuple(_chunks(page.events))
    return Written(chunks=chunks, cursor=page.cursor, is_end=page.is_end, told=told)


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
