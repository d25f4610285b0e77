"""The history of a task, of a project: JSON, long-poll and server-sent events on one cursor."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import Refused
from gateway.domain.event import Event
from gateway.hints import Hints
from gateway.web.auth import READ, authorize, project_of
from gateway.web.context import Context, context_of
from gateway.web.headers import headers_of
from gateway.web.query import Number, is_number, known_only
from gateway.web.replies import reply
from gateway.web.tasks import visible_task
from gateway.web.views import event_view
from gateway.wire.tasks import EventView, Page

MAX_SEQ: Final = 2**62
PING_SECONDS: Final = 15
SSE_PAGE: Final = 200
LAST_PAGE_SECONDS: Final = 2
"""How long a stream may take to end by itself when the gateway stops."""
AFTER: Final = Number(
    name="after", default=0, least=0, most=MAX_SEQ, meaning="Only what came behind this number."
)
LIMIT: Final = Number(
    name="limit", default=50, least=1, most=200, meaning="So many entries at the most."
)
WAIT: Final = Number(
    name="wait", default=0, least=0, most=30, meaning="Seconds to wait if there is nothing yet."
)
PARAMETERS: Final = (AFTER, LIMIT, WAIT)

Read = Callable[[int, int], Awaitable[list[Event]]]
"""The events after a number, at most so many."""


async def of_task(request: Request) -> Response:
    """`GET /v1/tasks/{id}/events`."""
    context = context_of(request)
    task, _ = await visible_task(request, context)

    async def read(after: int, limit: int) -> list[Event]:
        return await context.reads.events_of_task(task.id, after=after, limit=limit)

    return await _feed(request, context, task.id, read)


async def of_project(request: Request) -> Response:
    """`GET /v1/events`, of every project for ops."""
    context = context_of(request)
    key = await authorize(request, context.keys, READ)
    project = project_of(key)

    async def read(after: int, limit: int) -> list[Event]:
        return await context.reads.events_of_project(project, after=after, limit=limit)

    return await _feed(request, context, f"project:{project or '*'}", read)


async def _feed(request: Request, context: Context, topic: str, read: Read) -> Response:
    known_only(request, PARAMETERS)
    after = AFTER.of(request)
    if "text/event-stream" in headers_of(request).get("accept", ""):
        after = _resumed(request, after)
        return EventSourceResponse(
            _stream(context, topic, read, after),
            ping=PING_SECONDS,
            shutdown_grace_period=LAST_PAGE_SECONDS,
        )
    limit = LIMIT.of(request)
    wait = WAIT.of(request)
    events = await _wait_for(context.hints, topic, lambda: read(after, limit), wait)
    cursor = str(events[-1].seq if events else after)
    return reply(Page[EventView](data=tuple(map(event_view, events)), next_cursor=cursor))


async def _wait_for(
    hints: Hints, topic: str, read: Callable[[], Awaitable[list[Event]]], seconds: float
) -> list[Event]:
    with hints.listen(topic) as listener:
        events = await read()
        if events or not seconds or not await listener.wait(seconds):
            return events
        return await read()


async def _stream(context: Context, topic: str, read: Read, after: int) -> AsyncIterator[bytes]:
    """Every event until the reader goes, or we stop: then it ends whole, to be resumed."""
    with context.hints.listen(topic) as listener:
        while not context.is_draining():
            page = await context.pages.behind(topic, after, partial(read, after, SSE_PAGE))
            for chunk in page.chunks:
                yield chunk
            if page.last is None:
                await listener.wait(None)
            else:
                after = page.last


def _resumed(request: Request, after: int) -> int:
    """Behind the last event the reader has seen, which is newer than its query.

    Raises:
        Refused: `invalid_request`; to begin again unasked would repeat everything.
    """
    last = headers_of(request).get("last-event-id", "")
    if not last:
        return after
    if is_number(last) and int(last) <= MAX_SEQ:
        return int(last)
    raise Refused(
        "invalid_request",
        "Last-Event-ID is not the id of an event of this stream.",
        hint="Send the `id:` of the last event, unchanged, or leave it out to begin.",
    )
