"""Cursors of lists: opaque, versioned and signed, so that only ours are taken, and each only for
the list it was made for."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

import msgspec

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import is_task_id
from gateway.domain.kernel.keyring import Keyring
from gateway.store.records import TaskFilter

_VERSION: Final = b"1"
_MAC_BYTES: Final = 8


def cursor_after(keyring: Keyring, wanted: TaskFilter, task_id: str) -> str:
    """The cursor of the page of this list that begins behind this task."""
    return sealed_place(keyring, msgspec.json.encode(wanted), task_id)


def task_before(keyring: Keyring, wanted: TaskFilter, cursor: str) -> str:
    """The task a cursor stands behind.

    Raises:
        ApiError: `invalid_cursor`: broken, or made for another list.
    """
    task_id = opened_place(keyring, msgspec.json.encode(wanted), cursor)
    if not is_task_id(task_id):
        raise _invalid()
    return task_id


def sealed_place(keyring: Keyring, of_list: bytes, place: str) -> str:
    """The cursor of a place in a list."""
    text = _VERSION + place.encode()
    mac = _mac(keyring, keyring.current, text, of_list)
    return base64.urlsafe_b64encode(text + mac).decode()


def opened_place(keyring: Keyring, of_list: bytes, cursor: str) -> str:
    """The place a cursor of this list stands at.

    Raises:
        ApiError: `invalid_cursor`: broken, or made for another list.
    """
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise _invalid() from exc
    # Several texts stand for the same bytes; ours is one of them.
    is_ours = base64.urlsafe_b64encode(raw).decode() == cursor
    text, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    known = [
        hmac.compare_digest(mac, _mac(keyring, key_id, text, of_list)) for key_id in keyring.ids
    ]
    if not is_ours or not any(known) or not text.startswith(_VERSION):
        raise _invalid()
    return text[len(_VERSION) :].decode("ascii", "replace")


def _mac(keyring: Keyring, key_id: str, text: bytes, of_list: bytes) -> bytes:
    signed = text + b"\n" + of_list
    return hmac.digest(keyring.purpose(key_id, "cursor"), signed, hashlib.sha256)[:_MAC_BYTES]


def _invalid() -> ApiError:
    return ApiError(
        "invalid_cursor",
        "This cursor was not made for this list.",
        hint="Use `nextCursor` of the page before, unchanged and with the same filters, or leave "
        "it out to begin.",
    )
