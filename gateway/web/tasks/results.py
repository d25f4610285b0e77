"""The log and the patch of a task."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from gateway.domain.agents.transcript import Piece, Transcript, gaps, in_order
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import Event
from gateway.web.context import Context
from gateway.web.http.access import READ, READ_OR_TOKEN
from gateway.web.http.call import Call
from gateway.web.http.operation import Answer, Content, Operation
from gateway.web.http.query import Number
from gateway.web.http.replies import reply
from gateway.web.tasks.patches import WholePatch, newest_patch
from gateway.web.tasks.task_access import kept_task_of
from gateway.wire.agent import MAX_ATTEMPT
from gateway.wire.tasks import LogChunk, Page
from gateway.wire.times import rfc3339

LOG_PAGE: Final = 200
LOG_AFTER: Final = Number(
    name="after", default=0, least=0, most=2**62, meaning="`nextCursor` of the page before."
)
LOG: Final = "task.log"
PATCH_ATTEMPT: Final = Number(
    name="attempt",
    default=0,
    least=1,
    most=MAX_ATTEMPT,
    meaning="Of this attempt; without it, of the newest one of which a whole patch is kept.",
)
TRAJECTORY: Final = "task.trajectory"
TRAJECTORY_ATTEMPT: Final = Number(
    name="attempt",
    default=0,
    least=1,
    most=MAX_ATTEMPT,
    meaning="Of this attempt; without it, of the newest one that has sent any of it.",
)
TRAJECTORY_LENGTH: Final = 5 * 1024 * 1024
"""Characters; a runner sends 4 MiB, in which marks may take the place of secrets."""
TRAJECTORY_PIECES: Final = 2_000
_DIFF: Final = "--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n app\n+health\n"
operation: Final = partial(Operation, tag="Results", access=READ_OR_TOKEN)


class _LogData(msgspec.Struct, frozen=True, kw_only=True):
    offset: int
    chunk: str


@operation(
    id="readLogs",
    summary="Read the agent's log, in order",
    description=(
        "`missing` counts the bytes before a piece that have not arrived. What looks like a "
        "secret is redacted."
    ),
    query=(LOG_AFTER,),
    answers=(
        Answer(
            meaning=(
                "Pieces of the log, a page of them; with `Accept: text/plain` all there is, as "
                "one text that says where something is missing."
            ),
            content=(
                Content(kind=Page[LogChunk]),
                Content(kind=str, example="Cloning acme/widgets\n", media_type="text/plain"),
            ),
        ),
    ),
    errors=("not_found", "task_purged"),
)
async def logs(call: Call[None]) -> Response:
    context, after = call.context, call[LOG_AFTER]
    task = await kept_task_of(call)
    before = await _piece_before(context, task.id, after)
    if call.headers.get("accept", "").startswith("text/plain"):
        return StreamingResponse(_text(context, task.id, after, before), media_type="text/plain")
    events = await _log_events(context, task.id, after)
    cursor = str(events[-1].seq if events else after)
    return reply(Page[LogChunk](data=_chunks(events, before), next_cursor=cursor))


async def _log_events(context: Context, task_id: str, after: int) -> list[Event]:
    return await context.reads.events_of_types(task_id, [LOG], after=after, limit=LOG_PAGE)


async def _piece_before(context: Context, task_id: str, after: int) -> Piece | None:
    """The last piece up to `after`, which the reader has."""
    event = await context.reads.last_event(task_id, LOG, until=after) if after else None
    return piece_of(event) if event else None


async def _text(
    context: Context, task_id: str, after: int, before: Piece | None
) -> AsyncIterator[str]:
    """The log until now, page by page."""
    transcript = Transcript(before)
    while events := await _log_events(context, task_id, after):
        yield transcript.add(map(piece_of, events))
        after = events[-1].seq


@operation(
    id="readPatch",
    summary="Read what the agent changed",
    description=(
        "The newest whole revision of the newest attempt that has one, in whichever way the task "
        "has ended. `Slipgate-Patch-Attempt` says whose it is, `Slipgate-Patch-Base` to which "
        "commit it applies, `Slipgate-Patch-Partial: true` that its agent was interrupted."
    ),
    query=(PATCH_ATTEMPT,),
    answers=(
        Answer(
            meaning="A unified diff.",
            content=(Content(kind=str, example=_DIFF, media_type="text/x-diff"),),
            headers=("Slipgate-Patch-Attempt", "Slipgate-Patch-Base", "Slipgate-Patch-Partial"),
        ),
    ),
    errors=("not_found", "no_patch", "patch_incomplete", "task_purged", "invalid_request"),
)
async def patch(call: Call[None]) -> Response:
    reads = call.context.reads
    task = await kept_task_of(call)
    found = await newest_patch(reads, task, call[PATCH_ATTEMPT] or None)
    text = found.text(reads, task.id)
    return StreamingResponse(text, headers=_patch_headers(found), media_type="text/x-diff")


@operation(
    id="readTrajectory",
    summary="Read the record of the agent's turns",
    description=(
        "The engine's own file, without secrets: messages, commands and their output in the form "
        "of that engine. `Slipgate-Trajectory-Attempt` says whose it is."
    ),
    access=READ,
    query=(TRAJECTORY_ATTEMPT,),
    answers=(
        Answer(
            meaning="JSON, or lines of JSON, as the engine writes it.",
            content=(Content(kind=str, example='{"messages": []}', media_type="text/plain"),),
            headers=("Slipgate-Trajectory-Attempt",),
        ),
    ),
    errors=("not_found", "no_trajectory", "task_purged", "invalid_request"),
)
async def trajectory(call: Call[None]) -> Response:
    task = await kept_task_of(call)
    pieces = await _turns(call.context, task.id, call[TRAJECTORY_ATTEMPT])
    if not pieces or any(gaps(pieces, None)):
        message = "A part of it has not arrived." if pieces else "Its agent has sent none."
        raise ApiError("no_trajectory", message)
    text = Transcript().add(pieces).encode()
    headers = {"Slipgate-Trajectory-Attempt": f"{pieces[0].attempt}"}
    return Response(text, headers=headers, media_type="text/plain")


async def _turns(context: Context, task_id: str, wanted: int) -> list[Piece]:
    """The ordered pieces of this attempt, 0: of the newest one. Page by page, and no more than a
    runner sends: a hostile agent could send more than the memory holds."""
    pieces: list[Piece] = []
    types, after = [TRAJECTORY], 0
    while page := await context.reads.events_of_types(task_id, types, after=after, limit=LOG_PAGE):
        after = page[-1].seq
        sent = [piece for piece in map(piece_of, page) if wanted in {0, piece.attempt}]
        attempt = max((piece.attempt for piece in (*pieces[:1], *sent)), default=0)
        pieces = [piece for piece in (*pieces, *sent) if piece.attempt == attempt]
        length = sum(len(piece.chunk) for piece in pieces)
        if length > TRAJECTORY_LENGTH or len(pieces) > TRAJECTORY_PIECES:
            raise ApiError("no_trajectory", "It is longer than the record of an engine may be.")
    return in_order(pieces)


def _patch_headers(found: WholePatch) -> dict[str, str]:
    headers = {"Content-Length": f"{found.size}", "Slipgate-Patch-Attempt": f"{found.attempt}"}
    if found.details.base_sha is not None:
        headers["Slipgate-Patch-Base"] = found.details.base_sha
    if found.details.partial:
        headers["Slipgate-Patch-Partial"] = "true"
    return headers


def _chunks(events: list[Event], before: Piece | None) -> tuple[LogChunk, ...]:
    """The pieces of a page by offset."""
    came_at = {piece_of(event): event.at for event in events}
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


def piece_of(event: Event) -> Piece:
    data = msgspec.json.decode(event.data, type=_LogData)
    return Piece(attempt=event.attempt, offset=data.offset, chunk=data.chunk)
