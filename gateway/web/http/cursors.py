"""Keyset pages of lists. A cursor is opaque, versioned and signed: only ours are taken, and each
only for the list it was made for."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.web.http.call import Call
from gateway.web.http.query import Number, Text
from gateway.wire.tasks import Page

R = TypeVar("R")
V = TypeVar("V")
Position = tuple[int, str]
"""A number that rows are ordered by, newest first, and a name that tells equal ones apart."""

LIMIT: Final = Number(
    name="limit", default=50, least=1, most=200, meaning="The most entries of one page."
)
CURSOR: Final = Text(
    name="cursor",
    least=0,
    meaning="`nextCursor` of the page before, unchanged and with the same filters.",
)
_START: Final[Position] = (2**62, "")
_VERSION: Final = b"1"
_MAC_BYTES: Final = 8


async def keyset_page(
    call: Call[Any],
    of_list: bytes,
    read: Callable[[Position, int], Awaitable[list[R]]],
    *,
    position: Callable[[R], Position],
    view: Callable[[R], V],
) -> Page[V]:
    """The requested page, or `invalid_cursor`; `read` gives the rows behind a position."""
    keyring, cursor, limit = call.context.keyring, call[CURSOR], call[LIMIT]
    start = _START
    if cursor is not None:
        number, _, name = open_cursor(keyring, of_list, cursor).partition(" ")
        start = int(number), name
    rows = await read(start, limit + 1)
    following = None
    if len(rows) > limit:
        following = seal_cursor(keyring, of_list, "{} {}".format(*position(rows[limit - 1])))
    return Page[V](data=tuple(map(view, rows[:limit])), next_cursor=following)


def seal_cursor(keyring: Keyring, of_list: bytes, position: str) -> str:
    """The cursor of a position in a list."""
    text = _VERSION + position.encode()
    mac = _mac(keyring, keyring.current, text, of_list)
    return base64.urlsafe_b64encode(text + mac).decode()


def open_cursor(keyring: Keyring, of_list: bytes, cursor: str) -> str:
    """The position of a cursor, or `invalid_cursor` if it is broken or of another list."""
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid_cursor() from exc
    # Several texts stand for the same bytes; ours is one of them.
    is_ours = base64.urlsafe_b64encode(raw).decode() == cursor
    text, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    known = [
        hmac.compare_digest(mac, _mac(keyring, key_id, text, of_list)) for key_id in keyring.ids
    ]
    if not is_ours or not any(known) or not text.startswith(_VERSION):
        raise invalid_cursor()
    return text[len(_VERSION) :].decode("ascii", "replace")


def _mac(keyring: Keyring, key_id: str, text: bytes, of_list: bytes) -> bytes:
    signed = text + b"\n" + of_list
    return hmac.digest(keyring.purpose(key_id, "cursor"), signed, hashlib.sha256)[:_MAC_BYTES]


def invalid_cursor() -> ApiError:
    """The error of a cursor that is broken or of another list."""
    return ApiError(
        "invalid_cursor",
        "This cursor was not made for this list.",
        hint="Use `nextCursor` of the page before, unchanged and with the same filters, or leave "
        "it out to begin.",
    )
