"""What an agent leaves behind: its log, and its patch."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.domain.agents.transcript import (
    Piece,
    Transcript,
    gaps,
    in_order,
)
from gateway.domain.tasks.event import Event
from gateway.web.context import Context, context_of
from gateway.web.http.headers import headers_of
from gateway.web.http.query import Number, known_only
from gateway.web.http.replies import reply
from gateway.web.tasks.patches import WholePatch, newest_patch
from gateway.web.tasks.task_access import TOKEN, readable_task
from gateway.wire.agent import MAX_ATTEMPT
from gateway.wire.tasks import LogChunk, Page
from gateway.wire.times import rfc3339

LOG_PAGE: Final = 200
LOG_AFTER: Final = Number(
    name="after", default=0, least=0, most=2**62, meaning="`nextCursor` of the page before."
)
LOG_PARAMETERS: Final = (LOG_AFTER,)
LOG: Final = "task.log"
PATCH_ATTEMPT: Final = Number(
    name="attempt",
    default=0,
    least=1,
    most=MAX_ATTEMPT,
    meaning="Of this attempt; without it, of the newest one of which a whole patch is kept.",
)
PATCH_PARAMETERS: Final = (PATCH_ATTEMPT,)


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    offset: int
    chunk: str


async def logs(request: Request) -> Response:
    """`GET /v1/tasks/{id}/logs`: JSON, or plain text if the caller accepts only that."""
    context = context_of(request)
    known_only(request, (*LOG_PARAMETERS, TOKEN))
    after = LOG_AFTER.of(request)
    task = (await readable_task(request, context)).task
    before = await _piece_before(context, task.id, after)
    if headers_of(request).get("accept", "").startswith("text/plain"):
        return StreamingResponse(_text(context, task.id, after, before), media_type="text/plain")
    events = await _log_events(context, task.id, after)
    cursor = str(events[-1].seq if events else after)
    return reply(Page[LogChunk](data=_chunks(events, before), next_cursor=cursor))


async def _log_events(context: Context, task_id: str, after: int) -> list[Event]:
    return await context.reads.events_of_types(task_id, [LOG], after=after, limit=LOG_PAGE)


async def _piece_before(context: Context, task_id: str, after: int) -> Piece | None:
    """The piece that was read last by whoever goes on behind `after`."""
    event = await context.reads.last_event(task_id, LOG, until=after) if after else None
    return _piece(event) if event else None


async def _text(
    context: Context, task_id: str, after: int, before: Piece | None
) -> AsyncIterator[str]:
    """All that there is by now, page by page."""
    transcript = Transcript(before)
    while events := await _log_events(context, task_id, after):
        yield transcript.add(map(_piece, events))
        after = events[-1].seq


async def patch(request: Request) -> Response:
    """`GET /v1/tasks/{id}/patch`: what an agent changed, of the newest attempt that kept it."""
    context = context_of(request)
    known_only(request, (*PATCH_PARAMETERS, TOKEN))
    attempt = PATCH_ATTEMPT.of(request) or None
    task = (await readable_task(request, context)).task
    found = await newest_patch(context.reads, task, attempt)
    text = found.text(context.reads, task.id)
    return StreamingResponse(text, headers=_patch_headers(found), media_type="text/x-diff")


def _patch_headers(found: WholePatch) -> dict[str, str]:
    headers = {"Content-Length": f"{found.size}", "Slipgate-Patch-Attempt": f"{found.attempt}"}
    if found.details.base_sha is not None:
        headers["Slipgate-Patch-Base"] = found.details.base_sha
    if found.details.partial:
        headers["Slipgate-Patch-Partial"] = "true"
    return headers


def _chunks(events: list[Event], before: Piece | None) -> tuple[LogChunk, ...]:
    """By offset; what came late stands where it belongs if it came within the same page."""
    came_at = {_piece(event): event.at for event in events}
    pieces = in_order(came_at)
    return tuple(
        LogChunk(
            attempt=piece.attempt,
            offset=piece.offset,
            chunk=piece.chunk,
            missing=missing,
            at=rfc3339(came_at[piece]),
        )
        for piece, missing in zip(pieces, gaps(pieces, before), strict=True)
    )


def _piece(event: Event) -> Piece:
    said = msgspec.json.decode(event.data, type=_Said)
    return Piece(attempt=event.attempt, offset=said.offset, chunk=said.chunk)
