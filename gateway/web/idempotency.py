"""`Idempotency-Key`: the same key and request get the first answer."""

import hashlib
import hmac
import re
from typing import Final

from starlette.requests import Request

from gateway.domain.commands import Idempotency
from gateway.domain.errors import Refused
from gateway.domain.keyring import Keyring

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]{1,255}")
REPLAYED: Final = {"Idempotent-Replayed": "true"}


def idempotency_of(
    request: Request, keyring: Keyring, project: str, content: bytes
) -> Idempotency | None:
    """The key of the request with keyed hashes of `content`, the decoded request with defaults.

    Raises:
        Refused: `invalid_idempotency_key`.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _PRINTABLE.fullmatch(key):
        raise Refused(
            "invalid_idempotency_key",
            "An Idempotency-Key has 1 to 255 printable ASCII characters.",
        )
    return Idempotency(
        key=(project, f"{request.method} {request.url.path}", key),
        digests={
            key_id: hmac.digest(keyring.purpose(key_id, "idempotency"), content, hashlib.sha256)
            for key_id in keyring.ids
        },
        current=keyring.current,
    )
