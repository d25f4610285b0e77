"""Many readers of one feed: one read for all, and nobody misses what came meanwhile."""

import asyncio

import pytest

from gateway.domain.tasks.event import Event
from gateway.store.records import FeedPage
from gateway.web.http.feed_pages import CHUNK_BYTES, Pages, Written


class Log:
    """A feed that counts how often it is read, and is slow when it is told to be."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reads = 0
        self.version = 1
        self.fails: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def add(self, *, size: int = 2) -> None:
        """One more event, so many bytes long."""
        event = Event(
            task_id="task_1",
            task_seq=len(self.events) + 1,
            attempt=1,
            type="task.log",
            at=1_000,
            source="agent",
            data=b'"' + b"x" * (size - 2) + b'"',
            seq=len(self.events) + 1,
        )
        self.events.append(event)
        self.version += 1

    async def behind(self, pages: Pages, after: int) -> Written:
        """Its page behind a number."""

        async def read() -> FeedPage:
            self.reads += 1
            found = tuple(self.events[after:])
            await self.may_answer.wait()
            if self.fails is not None:
                raise self.fails
            return FeedPage(events=found, cursor=after + len(found), is_end=True)

        return await pages.behind("task_1", after, read, version=self.version)


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_readers_at_the_same_place_share_one_read_and_its_bytes() -> None:
    log, pages = Log(), Pages()
    log.add()
    found = await asyncio.gather(*(log.behind(pages, 0) for _ in range(100)))
    later = await log.behind(pages, 0)
    assert log.reads == 1
    assert {id(page) for page in (*found, later)} == {id(later)}
    assert later.cursor == 1


async def test_a_reader_does_not_believe_an_empty_read_that_began_before_it_asked() -> None:
    log, pages = Log(), Pages()
    log.may_answer.clear()
    early = asyncio.ensure_future(log.behind(pages, 0))
    await _settled()
    log.add()
    late = asyncio.ensure_future(log.behind(pages, 0))
    await _settled()
    log.may_answer.set()
    assert (await early).chunks == ()
    assert (await late).cursor == 1
    assert log.reads == 2


async def test_a_reader_that_comes_just_when_a_read_ends_begins_its_own() -> None:
    log, pages = Log(), Pages()
    log.may_answer.clear()

    async def come_when_it_ends() -> Written:
        await log.may_answer.wait()
        log.version += 1
        return await log.behind(pages, 0)

    early = asyncio.ensure_future(log.behind(pages, 0))
    await _settled()
    late = asyncio.ensure_future(come_when_it_ends())
    await _settled()
    log.may_answer.set()
    assert [(await early).chunks, (await late).chunks] == [(), ()]
    assert log.reads == 2


async def test_nothing_is_not_remembered() -> None:
    log, pages = Log(), Pages()
    assert (await log.behind(pages, 0)).chunks == ()
    log.add()
    assert (await log.behind(pages, 0)).cursor == 1


async def test_a_reader_that_leaves_takes_no_other_with_it() -> None:
    log, pages = Log(), Pages()
    log.add()
    log.may_answer.clear()
    leaving, staying = (asyncio.ensure_future(log.behind(pages, 0)) for _ in range(2))
    await _settled()
    leaving.cancel()
    log.may_answer.set()
    assert (await staying).cursor == 1


async def test_a_read_that_fails_fails_for_all_and_is_tried_again() -> None:
    log, pages = Log(), Pages()
    log.add()
    log.fails = OSError("disk")
    both = await asyncio.gather(*(log.behind(pages, 0) for _ in range(2)), return_exceptions=True)
    assert [type(error) for error in both] == [OSError, OSError]
    log.fails = None
    assert (await log.behind(pages, 0)).cursor == 1


async def test_what_is_kept_is_bounded() -> None:
    log, pages = Log(), Pages(kept_bytes=10_000)
    for _ in range(20):
        log.add(size=1_000)
    for after in range(20):
        await log.behind(pages, after)
    await log.behind(pages, 19)
    assert log.reads == 20
    await log.behind(pages, 0)
    assert log.reads == 21


@pytest.mark.parametrize(("sizes", "chunks"), [([10] * 50, 1), ([CHUNK_BYTES] * 3, 3), ([], 0)])
async def test_a_slow_reader_holds_the_feed_back_within_a_page(
    sizes: list[int], chunks: int
) -> None:
    log, pages = Log(), Pages()
    for size in sizes:
        log.add(size=size)
    page = await log.behind(pages, 0)
    assert len(page.chunks) == chunks
    assert b"".join(page.chunks).count(b"\r\ndata: ") == len(sizes)
