"""Request bodies, bounded while they are read."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
MIB: Final = 1024 * 1024
TASK_LIMIT: Final = 2 * MIB
LIMIT: Final = MIB
REPORT_LIMIT: Final = 2 * MIB
"""A launcher's report brings up to 512 KiB of spool, and JSON around it."""
INLINE: Final = 32 * 1024
"""Bytes of a body that are checked in the event loop: at most some milliseconds."""
_THREAD: Final = ThreadPoolExecutor(1, "beside-loop")
"""One thread: of several, each would have its turn of 5 ms before the event loop has one."""


class Nothing(message.Request, frozen=True, kw_only=True):
    """An object without fields."""


async def read_as(
    kind: type[T], request: Request, *, limit: int = LIMIT, is_required: bool = True
) -> T:
    """A JSON body as this kind, an empty one as `{}` if it is not required; the limit in bytes.

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
    await check_json(body)
    return await run_long(partial(decode, kind), body)


async def check_json(body: bytes) -> None:
    """Refuses JSON that is not read alike by every reader, naming each path."""
    await run_long(_check, body)


async def run_long(work: Callable[[bytes], T], body: bytes) -> T:
    """The result of work on a body; on a long one it is done in a thread."""
    return await in_thread(partial(work, body)) if len(body) > INLINE else work(body)


async def in_thread(work: Callable[[], T]) -> T:
    """The result of long work, done while others are served."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)


def _check(body: bytes) -> None:
    check_size(body)
    if is_suspect(body):
        check(body)


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
    """Refuses another media type than JSON."""
    media_type = headers_of(request).get("content-type", _JSON).partition(";")[0]
    if media_type != _JSON and media_type.strip().lower() != _JSON:
        raise ApiError(
            "unsupported_media_type",
            f"'{media_type[:100]}' is not taken here.",
            hint="Send JSON with 'Content-Type: application/json'.",
        )


def _too_large(limit: int) -> ApiError:
    return ApiError("too_large", f"The body has more than {limit} bytes.")
