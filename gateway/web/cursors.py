"""Cursors of lists: opaque, versioned and signed, so that only ours are taken."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from gateway.domain.errors import Refused
from gateway.domain.ids import is_task_id
from gateway.domain.keyring import Keyring

_VERSION: Final = b"1"
_MAC_BYTES: Final = 8


def cursor_after(keyring: Keyring, task_id: str) -> str:
    """The cursor of the page that begins behind this task."""
    text = _VERSION + task_id.encode()
    return base64.urlsafe_b64encode(text + _mac(keyring, keyring.current, text)).decode()


def task_before(keyring: Keyring, cursor: str) -> str:
    """The task a cursor stands behind.

    Raises:
        Refused: `invalid_cursor`, foreign or broken.
    """
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise _invalid() from exc
    text, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    known = [hmac.compare_digest(mac, _mac(keyring, key_id, text)) for key_id in keyring.ids]
    task_id = text[len(_VERSION) :].decode("ascii", "replace")
    if not any(known) or not text.startswith(_VERSION) or not is_task_id(task_id):
        raise _invalid()
    return task_id


def _mac(keyring: Keyring, key_id: str, text: bytes) -> bytes:
    return hmac.digest(keyring.purpose(key_id, "cursor"), text, hashlib.sha256)[:_MAC_BYTES]


def _invalid() -> Refused:
    return Refused(
        "invalid_cursor",
        "This cursor was not made here.",
        hint="Use `nextCursor` of the page before, unchanged, or leave it out to begin.",
    )
