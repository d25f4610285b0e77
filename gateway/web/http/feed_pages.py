"""Pages of feeds as streams send them: readers at the same position share one read."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Final

import msgspec

from gateway.domain.tasks.event import Event
from gateway.store.records import FeedPage
from gateway.web.http.single_flight import SingleFlight
from gateway.web.tasks.views import event_view

KEPT_BYTES: Final = 4 * 1024 * 1024
"""Of pages already read, for readers that reach the same position a little later."""
CHUNK_BYTES: Final = 64 * 1024
"""Roughly; a slow reader holds the feed back after each chunk, and no more than that waits."""

Position = tuple[str, int]
"""(feed, the number behind which the page begins)."""
Read = Callable[[], Awaitable[FeedPage]]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a feed as it is sent."""

    chunks: tuple[bytes, ...]
    cursor: int
    is_end: bool
    """True if there was nothing behind it."""
    version: int
    """The feed's newest notification when it was read."""

    @property
    def size(self) -> int:
        return sum(map(len, self.chunks))


class Pages:
    """Shares pages among readers: more may follow behind a number, but nothing in between."""

    def __init__(self, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[Position, Written] = OrderedDict()
        self._size = 0
        self._forgotten = 0
        self._reads = SingleFlight[Position, Written]()

    async def behind(self, feed: str, after: int, read: Read, *, version: int) -> Written:
        """The page of the feed behind a number, as `read` gives it. `version` is the feed's newest
        notification: an empty page counts only if it was read since then."""
        position = (feed, after)
        while True:
            if position in self._kept:
                return self._kept[position]
            page = await self._reads.run(position, partial(self._read, position, read, version))
            if page.chunks or page.version >= version:
                return page

    def forget(self) -> None:
        """Drops all pages: events have been rewritten. One that is being read is not kept."""
        self._kept.clear()
        self._size = 0
        self._forgotten += 1

    async def _read(self, position: Position, read: Read, version: int) -> Written:
        forgotten = self._forgotten
        page = await read()
        chunks = tuple(_chunks(page.events))
        written = Written(chunks=chunks, cursor=page.cursor, is_end=page.is_end, version=version)
        if chunks and forgotten == self._forgotten:
            self._keep(position, written)
        return written

    def _keep(self, position: Position, page: Written) -> None:
        self._kept[position] = page
        self._size += page.size
        while self._size > self._kept_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size


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
