"""Events of a task or of a project: JSON, long polls and server-sent events on one cursor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import Final

from starlette.responses import Response

from gateway.domain.deliveries.type_patterns import GROUP_PATTERN, feed_types
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import FACTS, KINDS
from gateway.domain.tasks.task import Frozen
from gateway.notifier import pause_after
from gateway.store.records import FeedPage
from gateway.web.context import Context
from gateway.web.http.access import READ, READ_OR_TOKEN, StreamReader
from gateway.web.http.call import Call
from gateway.web.http.cursors import LIMIT
from gateway.web.http.feed_pages import Written
from gateway.web.http.headers import LAST_EVENT_ID
from gateway.web.http.operation import Answer, Content, Operation
from gateway.web.http.query import Number, Patterns, is_number
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import task_of
from gateway.web.tasks.views import event_view
from gateway.wire.tasks import EventView, Page

MAX_SEQ: Final = 2**62
PING_SECONDS: Final = 15
SSE_PAGE: Final = 200
LAST_PAGE_SECONDS: Final = 2
"""Time a stream has to end by itself when the gateway stops."""
AFTER: Final = Number(
    name="after",
    default=0,
    least=0,
    most=MAX_SEQ,
    meaning="Only what came behind this number; without it, from the oldest event that is kept.",
)
WAIT: Final = Number(
    name="wait", default=0, least=0, most=30, meaning="Seconds to wait if there is nothing yet."
)
TYPES: Final = Patterns(
    name="types",
    known=("*", *KINDS, *FACTS),
    resolve=feed_types,
    others=GROUP_PATTERN,
    meaning="Only events of these types, ours (`task.*`) and your own (`invoice.paid`, "
    "`invoice.*`); without it, all that are of tasks.",
)
_STREAM: Final = (
    "id: 311\n"
    'data: {"id": "evt_01k5yb6t5fe00800000000009q", "seq": 311, "type": "task.progress", …}\n\n'
)
_FEED: Final = (
    Answer(
        meaning=(
            "Events, oldest first; `nextCursor` is the next `after`. With `Accept: "
            "text/event-stream` the same as server-sent events, each `data:` one event, until the "
            "reader goes."
        ),
        content=(
            Content(kind=Page[EventView]),
            Content(kind=str, example=_STREAM, media_type="text/event-stream"),
        ),
    ),
)
operation: Final = partial(Operation, tag="Events")


async def _nothing_is_pruned(_after: int) -> bool:
    """A task that is there has all its events."""
    return False


class Feed(Frozen, frozen=True, kw_only=True):
    """A sequence of events, and the topic whose notifications say that there may be more."""

    topic: str
    name: str
    """The same for all readers of the same events."""
    read: Callable[[int, int], Awaitable[FeedPage]]
    """The events after a number, up to a limit."""
    is_pruned: Callable[[int], Awaitable[bool]] = _nothing_is_pruned
    """True if events behind a number were deleted."""


@operation(
    id="readTaskEvents",
    summary="Follow one task",
    description=(
        "From the beginning without `after`; a task that is there has all its events. `wait` "
        "polls, `Accept: text/event-stream` streams, and both go on at the same number."
    ),
    access=READ_OR_TOKEN,
    query=(AFTER, LIMIT, WAIT),
    headers=(LAST_EVENT_ID,),
    answers=_FEED,
    errors=("not_found",),
)
async def of_task(call: Call[None]) -> Response:
    task, _ = await task_of(call)

    async def read(after: int, limit: int) -> FeedPage:
        events = await call.context.reads.events_of_task(task.id, after=after, limit=limit)
        cursor = events[-1].seq if events else after
        return FeedPage(events=tuple(events), cursor=cursor, is_end=len(events) < limit)

    return await _answer(call, Feed(topic=task.id, name=task.id, read=read))


@operation(
    id="readEvents",
    summary="Follow every task of the project",
    description=(
        "One feed for all that happens in the project: pull, long poll and stream share its "
        "numbers. Events of endpoints and of the installation come only to those who name them "
        "in `types`."
    ),
    access=READ,
    query=(AFTER, TYPES, LIMIT, WAIT),
    headers=(LAST_EVENT_ID,),
    answers=_FEED,
    errors=("cursor_expired",),
)
async def of_project(call: Call[None]) -> Response:
    reads, project, types = call.context.reads, call.project, call[TYPES]

    async def read(after: int, limit: int) -> FeedPage:
        return await reads.events_of_project(project, types, after=after, limit=limit)

    async def is_pruned(after: int) -> bool:
        return after < await reads.pruned(project)

    topic = f"project:{project or '*'}"
    feed = Feed(topic=topic, name=f"{topic} {types or ''}", read=read, is_pruned=is_pruned)
    return await _answer(call, feed)


async def _answer(call: Call[None], feed: Feed) -> Response:
    context, after, limit = call.context, call[AFTER], call[LIMIT]
    if "text/event-stream" in call.headers.get("accept", ""):
        after = _resumed(call, after)
        first = await _written(context, feed, after)
        await _check_complete(call, feed, after)
        return _streamed(call, feed, first)
    page = await feed.read(after, limit)
    await _check_complete(call, feed, after)
    if not page.events and call.request.method == "GET":
        page = await wait_for_page(context, feed, page, limit, call[WAIT])
        await call.admit_again()
    data = tuple(map(event_view, page.events))
    return reply(Page[EventView](data=data, next_cursor=str(page.cursor)))


async def _check_complete(call: Call[None], feed: Feed, after: int) -> None:
    """Refuses a reader that would miss deleted events; one that is only beginning misses nothing.
    Called after a page is read, since events can be deleted until then."""
    has_begun = AFTER.name in call.request.query_params or "last-event-id" in call.headers
    if has_begun and await feed.is_pruned(after):
        raise ApiError(
            "cursor_expired",
            "Events behind this number have been deleted with their tasks.",
            hint="Leave `after` or Last-Event-ID out to begin with the oldest event that is kept.",
        )


async def wait_for_page(
    context: Context, feed: Feed, page: FeedPage, limit: int, seconds: float
) -> FeedPage:
    """The next page that is not empty, or an empty one at the end of the time: notifications may be
    about other events of the topic."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    with context.notifier.listen(feed.topic) as listener:
        for fruitless in count():
            left = end - clock()
            if page.events or context.is_draining() or left <= 0:
                break
            page = await feed.read(page.cursor, limit)
            if page.is_end and not page.events:
                await listener.wait(left)
                await asyncio.sleep(min(pause_after(fruitless), max(0.0, end - clock())))
    return page


def _streamed(call: Call[None], feed: Feed, first: Written) -> Response:
    if call.request.method == "HEAD":
        return Response(headers={"Cache-Control": "no-store"}, media_type="text/event-stream")
    from sse_starlette import EventSourceResponse  # noqa: PLC0415 - 5 ms, before the first stream

    return EventSourceResponse(
        _stream(call, feed, first), ping=PING_SECONDS, shutdown_grace_period=LAST_PAGE_SECONDS
    )


async def _stream(call: Call[None], feed: Feed, page: Written) -> AsyncIterator[bytes]:
    """Every event until the reader goes, may read no longer, or the gateway stops; it ends between
    events, to be resumed. A revoked key is noticed before anything more is sent."""
    context = call.context
    until = call.caller.until if isinstance(call.caller, StreamReader) else None
    fruitless = -1  # the first page was read for no notification
    with context.notifier.listen(feed.topic) as listener:
        version = context.notifier.version(feed.topic)
        while True:
            for chunk in page.chunks:
                yield chunk
            fruitless = 0 if page.chunks else fruitless + 1
            left = None if until is None else (until - context.clock()) / 1000
            if context.is_draining() or (left is not None and left <= 0):
                return
            # A page that is older than the last notification, read for others, is no end for us.
            if page.is_end and page.version >= version:
                await listener.wait(left)
                await asyncio.sleep(pause_after(fruitless))
                version = context.notifier.version(feed.topic)
            if not await call.is_still_admitted():
                return
            page = await _written(context, feed, page.cursor)


async def _written(context: Context, feed: Feed, after: int) -> Written:
    read = partial(feed.read, after, SSE_PAGE)
    version = context.notifier.version(feed.topic)
    return await context.pages.behind(feed.name, after, read, version=version)


def _resumed(call: Call[None], after: int) -> int:
    """The number of the reader's last event, which is newer than its query. A wrong one is refused:
    to begin again unasked would repeat everything."""
    last = call.headers.get("last-event-id", "")
    if not last:
        return after
    if is_number(last) and int(last) <= MAX_SEQ:
        return int(last)
    raise ApiError(
        "invalid_request",
        "Last-Event-ID is not the id of an event of this stream.",
        hint="Send the `id:` of the last event, unchanged, or leave it out to begin.",
    )
