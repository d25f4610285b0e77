"""What an agent leaves behind: its log, and its patch."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.domain.errors import Refused
from gateway.domain.event import Event
from gateway.web.context import context_of
from gateway.web.headers import headers_of
from gateway.web.query import Number, known_only
from gateway.web.replies import reply
from gateway.web.visible import TOKEN, readable_task
from gateway.wire.agent import TERMINAL_WORDS
from gateway.wire.message import Reply
from gateway.wire.tasks import Page
from gateway.wire.times import Moment, rfc3339

LOG_PAGE: Final = 200
LOG_AFTER: Final = Number(
    name="after", default=0, least=0, most=2**62, meaning="`nextCursor` of the page before."
)
LOG_PARAMETERS: Final = (LOG_AFTER,)
_PATCH_TYPES: Final = ("task.patch", "task.retried", "task.cancelled", *sorted(TERMINAL_WORDS))


class LogChunk(Reply, frozen=True, kw_only=True):
    """A piece of the log of one attempt."""

    attempt: int
    offset: int
    chunk: str
    at: Moment


class _Piece(msgspec.Struct, frozen=True, kw_only=True):
    offset: int
    chunk: str


class _Word(msgspec.Struct, frozen=True, kw_only=True):
    """Only what is looked at: a word may hold fields of any shape beside it."""

    patch: str | None = None


class _Retry(msgspec.Struct, frozen=True, kw_only=True):
    word: _Word | None = None


async def logs(request: Request) -> Response:
    """`GET /v1/tasks/{id}/logs`: JSON, or plain text if the caller accepts only that."""
    context = context_of(request)
    known_only(request, (*LOG_PARAMETERS, TOKEN))
    after = LOG_AFTER.of(request)
    task = (await readable_task(request, context)).task
    events = await context.reads.words(task.id, ["task.log"], after=after, limit=LOG_PAGE)
    chunks = tuple(map(_chunk, events))
    if headers_of(request).get("accept", "").startswith("text/plain"):
        return PlainTextResponse("".join(chunk.chunk for chunk in chunks))
    cursor = str(events[-1].seq if events else after)
    return reply(Page[LogChunk](data=chunks, next_cursor=cursor))


async def patch(request: Request) -> Response:
    """`GET /v1/tasks/{id}/patch`: what the newest attempt with a patch changed."""
    context = context_of(request)
    known_only(request, (TOKEN,))
    task = (await readable_task(request, context)).task
    words = await context.reads.words(task.id, _PATCH_TYPES)
    for attempt in sorted({word.attempt for word in words}, reverse=True):
        text = _patch([word for word in words if word.attempt == attempt])
        if text:
            return Response(text, media_type="text/x-diff")
    raise Refused("no_patch", "No attempt of this task has sent a patch.")


def _chunk(event: Event) -> LogChunk:
    piece = msgspec.json.decode(event.data, type=_Piece)
    return LogChunk(
        attempt=event.attempt, offset=piece.offset, chunk=piece.chunk, at=rfc3339(event.at)
    )


def _patch(words: list[Event]) -> str:
    whole = next((text for word in reversed(words) if (text := _whole(word))), None)
    if whole is not None:
        return whole
    pieces = [
        msgspec.json.decode(word.data, type=_Piece) for word in words if word.type == "task.patch"
    ]
    parts = {piece.offset: piece.chunk for piece in pieces}
    return "".join(parts[offset] for offset in sorted(parts))


def _whole(event: Event) -> str | None:
    """The patch of a last word; the event of a retry holds the word that led to it."""
    if event.type == "task.patch":
        return None
    if event.type == "task.retried":
        word = msgspec.json.decode(event.data, type=_Retry).word
        return word.patch if word else None
    return msgspec.json.decode(event.data, type=_Word).patch
