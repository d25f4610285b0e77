"""Request bodies, bounded while they are read."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.headers import headers_of
from gateway.wire import message
from gateway.wire.decode import check_size, decode
from gateway.wire.ijson import check, is_suspect

T = TypeVar("T")

_JSON: Final = "application/json"
_PLAIN: Final = "identity"
MIB: Final = 1024 * 1024
TASK_LIMIT: Final = 2 * MIB
LIMIT: Final = MIB
REPORT_LIMIT: Final = 2 * MIB
"""A launcher's report brings up to 512 KiB of spool, and JSON around it."""
INLINE: Final = 32 * 1024
"""Bytes of a body that are checked in the event loop: at most some milliseconds."""


class Nothing(message.Request, frozen=True, kw_only=True):
    """An object without fields."""


async def read_as(
    kind: type[T],
    request: Request,
    thread: Executor,
    *,
    limit: int = LIMIT,
    is_required: bool = True,
) -> T:
    """A JSON body as this kind, an empty one as `{}` if it is not required; the limit in bytes.
    `thread` is for long bodies.

    Raises:
        ApiError: `unsupported_media_type` or `too_large`.
        WrongShape: it is no I-JSON, or not of this kind, naming each path.
    """
    if is_required:
        check_media_type(request)
    body = await read_bytes(request, limit=limit)
    if not is_required and body:
        check_media_type(request)
    elif not is_required:
        body = b"{}"
    return await read_json(partial(decode, kind), body, thread)


async def read_json(decode: Callable[[bytes], T], body: bytes, thread: Executor) -> T:
    """A decoded body; a long one is checked and decoded in the thread, while others are served.
    Refuses JSON that is not read alike by every reader, naming each path."""
    work = partial(_read_json, decode, body)
    return await in_thread(thread, work) if len(body) > INLINE else work()


async def in_thread(thread: Executor, work: Callable[[], T]) -> T:
    """The result of long work, done while others are served."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)


def _read_json(decode: Callable[[bytes], T], body: bytes) -> T:
    check_size(body)
    if is_suspect(body):
        check(body)
    return decode(body)


async def read_bytes(request: Request, *, limit: int = LIMIT) -> bytes:
    """The bytes of a body, whatever they are.

    Raises:
        ApiError: `too_large`, as soon as more than `limit` bytes have come.
    """
    declared = headers_of(request).get("content-length", "0")
    is_number = declared.isascii() and declared.isdigit()
    # Python refuses to make an integer of thousands of digits.
    if is_number and (len(declared) > 18 or int(declared) > limit):
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def check_media_type(request: Request) -> None:
    """Refuses another media type than JSON, and a compressed body."""
    headers = headers_of(request)
    if headers.get("content-encoding", _PLAIN).lower() != _PLAIN:
        raise ApiError(
            "unsupported_media_type",
            "A body with a Content-Encoding is not taken here.",
            hint="Send the JSON as it is, without compression.",
        )
    media_type = headers.get("content-type", _JSON).partition(";")[0]
    if media_type != _JSON and media_type.strip().lower() != _JSON:
        raise ApiError(
            "unsupported_media_type",
            f"'{media_type[:100]}' is not taken here.",
            hint="Send JSON with 'Content-Type: application/json'.",
        )


def _too_large(limit: int) -> ApiError:
    return ApiError("too_large", f"The body has more than {limit} bytes.")
