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
"""Bytes of a body that are looked through at once: at most some milliseconds."""
_BESIDE: Final = ThreadPoolExecutor(1, "beside-loop")
"""One thread: of several, each would have its turn of 5 ms before the event loop has one."""


class Nothing(message.Request, frozen=True, kw_only=True):
    """An object without fields."""


async def read_json(request: Request, *, limit: int = LIMIT) -> bytes:
    """The bytes of a JSON body; the limit in bytes.

    Raises:
        ApiError: `unsupported_media_type` or `too_large`.
        WrongShape: it is no I-JSON.
    """
    check_media_type(request)
    body = await read_bytes(request, limit=limit)
    await vet(body)
    return body


async def read_as(kind: type[T], request: Request, *, limit: int = LIMIT) -> T:
    """A JSON body as this kind; the limit in bytes.

    Raises:
        ApiError: `unsupported_media_type` or `too_large`.
        WrongShape: it is no I-JSON, or not of this kind, naming each path.
    """
    body = await read_json(request, limit=limit)
    return await looked_at(partial(decode, kind), body)


async def vet(body: bytes) -> None:
    """Refuses what readers of JSON do not read alike.

    Raises:
        WrongShape: `invalid_request`, naming each path.
    """
    await looked_at(_vet, body)


async def looked_at(look: Callable[[bytes], T], body: bytes) -> T:
    """The result of a look at a body; at a long one it is taken beside the event loop."""
    if len(body) > INLINE:
        return await beside_loop(partial(look, body))
    return look(body)


async def beside_loop(work: Callable[[], T]) -> T:
    """The result of work that takes long, done while others are served."""
    return await asyncio.get_running_loop().run_in_executor(_BESIDE, work)


def _vet(body: bytes) -> None:
    check_size(body)
    if is_suspect(body):
        check(body)


async def read_nothing(request: Request) -> None:
    """A body that should be empty, or an empty object.

    Raises:
        ApiError: `unsupported_media_type` or `too_large`.
        WrongShape: `invalid_json`, or `invalid_request` naming what nobody asked for.
    """
    body = await read_bytes(request)
    if body:
        check_media_type(request)
        decode(Nothing, body)


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
    """Only JSON.

    Raises:
        ApiError: `unsupported_media_type`.
    """
    media_type = headers_of(request).get("content-type", _JSON).partition(";")[0]
    if media_type != _JSON and media_type.strip().lower() != _JSON:
        raise ApiError(
            "unsupported_media_type",
            f"'{media_type[:100]}' is not taken here.",
            hint="Send JSON with 'Content-Type: application/json'.",
        )


def _too_large(limit: int) -> ApiError:
    return ApiError("too_large", f"The body has more than {limit} bytes.")
