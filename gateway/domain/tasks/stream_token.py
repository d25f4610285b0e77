"""Stream tokens: a browser's permission to read one task for a limited time.

`st_<end>.<base64url HMAC>`. The signature covers the task's id, so a token is valid for that task
alone.
"""

import base64
import hashlib
import hmac
import re
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring

LIFETIME: Final = 3_600_000
"""Milliseconds."""
REFRESH: Final = 600_000
"""Time before its end at which a client should replace it (milliseconds)."""
_TOKEN: Final = re.compile(r"st_([0-9]{1,15})\.[A-Za-z0-9_-]{43}")


def stream_token(keyring: Keyring, task_id: str, ends_at: int) -> str:
    """A token for this task; `ends_at` in milliseconds."""
    return _signed(keyring, keyring.current, task_id, ends_at)


def end_of_token(keyring: Keyring, token: str, task_id: str, now: int) -> int:
    """The end of a token for this task (milliseconds), signed with any configured master key.

    Raises:
        ApiError: `invalid_token` or `token_expired`.
    """
    match = _TOKEN.fullmatch(token)
    ends_at = int(match[1]) if match else 0
    genuine = [
        hmac.compare_digest(token.encode(), _signed(keyring, key_id, task_id, ends_at).encode())
        for key_id in keyring.ids
    ]
    if not any(genuine):
        raise ApiError(
            "invalid_token",
            "The token is not one for this task.",
            hint="Use `token` of POST /v1/tasks/{id}/stream-token, unchanged, with its own task.",
        )
    if ends_at <= now:
        raise ApiError(
            "token_expired",
            "The token has expired.",
            hint="Ask your backend for a new one: POST /v1/tasks/{id}/stream-token.",
        )
    return ends_at


def _signed(keyring: Keyring, key_id: str, task_id: str, ends_at: int) -> str:
    key = keyring.purpose(key_id, "stream")
    mac = hmac.digest(key, f"{task_id}.{ends_at}".encode(), hashlib.sha256)
    return f"st_{ends_at}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
