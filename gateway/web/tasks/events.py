"""The history of a task, of a project: JSON, long-poll and server-sent events on one cursor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import FACTS, KINDS, types_of
from gateway.domain.tasks.task import Frozen
from gateway.store.records import FeedPage
from gateway.web.context import Context, context_of
from gateway.web.http.auth import READ, authorize, project_of
from gateway.web.http.headers import headers_of
from gateway.web.http.pages import Written
from gateway.web.http.query import (
    Number,
    Patterns,
    is_number,
    known_only,
)
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import TOKEN, readable_task
from gateway.web.tasks.views import event_view
from gateway.wire.tasks import EventView, Page

MAX_SEQ: Final = 2**62
PING_SECONDS: Final = 15
SSE_PAGE: Final = 200
LAST_PAGE_SECONDS: Final = 2
"""How long a stream may take to end by itself when the gateway stops."""
AFTER: Final = Number(
    name="after",
    default=0,
    least=0,
    most=MAX_SEQ,
    meaning="Only what came behind this number; without it, from the oldest event that is kept.",
)
LIMIT: Final = Number(
    name="limit", default=50, least=1, most=200, meaning="So many entries at the most."
)
WAIT: Final = Number(
    name="wait", default=0, least=0, most=30, meaning="Seconds to wait if there is nothing yet."
)
TYPES: Final = Patterns(
    name="types",
    known=("*", *KINDS, *FACTS),
    resolve=types_of,
    meaning="Only events of these types, `task.*` and the like; without it, all that are of tasks.",
)
PARAMETERS: Final = (AFTER, LIMIT, WAIT)
PROJECT_PARAMETERS: Final = (AFTER, TYPES, LIMIT, WAIT)


async def _always() -> bool:
    """A token ends by itself."""
    return True


async def _is_whole(_after: int) -> bool:
    """A task that is there has all its events."""
    return False


class Feed(Frozen, frozen=True, kw_only=True):
    """Where events are read, and which hint says that there may be more."""

    topic: str
    name: str
    """What readers of the same events share."""
    read: Callable[[int, int], Awaitable[FeedPage]]
    """The events after a number, at most so many."""
    is_cut: Callable[[int], Awaitable[bool]] = _is_whole
    """Whether events behind a number were deleted."""
    until: int | None = None
    """When whoever reads it may do so no longer (milliseconds)."""
    may_read: Callable[[], Awaitable[bool]] = _always
    """Whether whoever reads it still may: a key can be revoked while its stream is open."""


async def of_task(request: Request) -> Response:
    """`GET /v1/tasks/{id}/events`."""
    context = context_of(request)
    known_only(request, (*PARAMETERS, TOKEN))
    found = await readable_task(request, context)
    task_id = found.task.id

    async def read(after: int, limit: int) -> FeedPage:
        events = await context.reads.events_of_task(task_id, after=after, limit=limit)
        cursor = events[-1].seq if events else after
        return FeedPage(events=tuple(events), cursor=cursor, is_end=len(events) < limit)

    may_read = partial(_has_key, request, context) if found.until is None else _always
    feed = Feed(topic=task_id, name=task_id, read=read, until=found.until, may_read=may_read)
    return await _answer(request, context, feed)


async def of_project(request: Request) -> Response:
    """`GET /v1/events`, of every project for ops."""
    context = context_of(request)
    key = await authorize(request, context.keys, READ)
    known_only(request, PROJECT_PARAMETERS)
    project = project_of(key)
    types = TYPES.of(request)

    async def read(after: int, limit: int) -> FeedPage:
        return await context.reads.events_of_project(project, types, after=after, limit=limit)

    async def is_cut(after: int) -> bool:
        return after < await context.reads.pruned(project)

    topic = f"project:{project or '*'}"
    feed = Feed(
        topic=topic,
        name=f"{topic} {types or ''}",
        read=read,
        is_cut=is_cut,
        may_read=partial(_has_key, request, context),
    )
    return await _answer(request, context, feed)


async def _has_key(request: Request, context: Context) -> bool:
    try:
        await authorize(request, context.keys, READ)
    except ApiError:
        return False
    return True


async def _answer(request: Request, context: Context, feed: Feed) -> Response:
    after, limit, wait = AFTER.of(request), LIMIT.of(request), WAIT.of(request)
    if "text/event-stream" in headers_of(request).get("accept", ""):
        after = _resumed(request, after)
        first = await _written(context, feed, after)
        await _check_whole(request, feed, after)
        return _streamed(request, _stream(context, feed, first))
    page = await feed.read(after, limit)
    await _check_whole(request, feed, after)
    if not page.events and request.method == "GET":
        page = await _wait_for(context, feed, page, limit, wait)
    data = tuple(map(event_view, page.events))
    return reply(Page[EventView](data=data, next_cursor=str(page.cursor)))


async def _check_whole(request: Request, feed: Feed, after: int) -> None:
    """Asked once a page is read: what is deleted before that would be missing without a word.

    Raises:
        ApiError: `cursor_expired`; not for a reader that is only beginning, and has missed nothing.
    """
    has_begun = AFTER.name in request.query_params or "last-event-id" in headers_of(request)
    if has_begun and await feed.is_cut(after):
        raise ApiError(
            "cursor_expired",
            "Events behind this number have been deleted with their tasks.",
            hint="Leave `after` or Last-Event-ID out to begin with the oldest event that is kept.",
        )


async def _wait_for(
    context: Context, feed: Feed, page: FeedPage, limit: int, seconds: float
) -> FeedPage:
    """The next page that is not empty, or the empty one the time ran out on: a hint may be about
    events that nobody here asked for."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    with context.notifier.listen(feed.topic) as listener:
        while not page.events and not context.is_draining() and (left := end - clock()) > 0:
            page = await feed.read(page.cursor, limit)
            if page.is_end and not page.events:
                await listener.wait(left)
    return page


def _streamed(request: Request, stream: AsyncIterator[bytes]) -> Response:
    if request.method == "HEAD":
        return Response(headers={"Cache-Control": "no-store"}, media_type="text/event-stream")
    return EventSourceResponse(stream, ping=PING_SECONDS, shutdown_grace_period=LAST_PAGE_SECONDS)


async def _stream(context: Context, feed: Feed, page: Written) -> AsyncIterator[bytes]:
    """Every event until the reader goes, may read no longer, or we stop: then it ends whole, to be
    resumed. A key that was revoked is noticed before anything more is sent."""
    with context.notifier.listen(feed.topic) as listener:
        told = context.notifier.version(feed.topic)
        while True:
            for chunk in page.chunks:
                yield chunk
            left = None if feed.until is None else (feed.until - context.clock()) / 1000
            if context.is_draining() or (left is not None and left <= 0):
                return
            # An older page than the last hint, which others may have read, ends nowhere for us.
            if page.is_end and page.told >= told:
                await listener.wait(left)
                told = context.notifier.version(feed.topic)
            if not await feed.may_read():
                return
            page = await _written(context, feed, page.cursor)


async def _written(context: Context, feed: Feed, after: int) -> Written:
    read = partial(feed.read, after, SSE_PAGE)
    return await context.pages.behind(
        feed.name, after, read, told=context.notifier.version(feed.topic)
    )


def _resumed(request: Request, after: int) -> int:
    """Behind the last event the reader has seen, which is newer than its query.

    Raises:
        ApiError: `invalid_request`; to begin again unasked would repeat everything.
    """
    last = headers_of(request).get("last-event-id", "")
    if not last:
        return after
    if is_number(last) and int(last) <= MAX_SEQ:
        return int(last)
    raise ApiError(
        "invalid_request",
        "Last-Event-ID is not the id of an event of this stream.",
        hint="Send the `id:` of the last event, unchanged, or leave it out to begin.",
    )
