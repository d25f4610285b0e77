"""`Idempotency-Key`: the same key and request get the first answer."""

import hashlib
import hmac
import re
from typing import Final

import msgspec
from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.read_set import Idempotency
from gateway.web.http.headers import headers_of

_canonical: Final = msgspec.json.Encoder(order="sorted").encode
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]{1,255}")
KEY_PATTERN: Final = f"^{_PRINTABLE.pattern}$"
REPLAYED: Final = {"Idempotent-Replayed": "true"}


def idempotency_of(
    request: Request, keyring: Keyring, project: str, content: object
) -> Idempotency | None:
    """The key of the request with keyed hashes of `content`, the decoded request.

    Raises:
        ApiError: `invalid_idempotency_key`.
    """
    key = headers_of(request).get("idempotency-key")
    if key is None:
        return None
    if not _PRINTABLE.fullmatch(key):
        raise ApiError(
            "invalid_idempotency_key",
            "An Idempotency-Key has 1 to 255 printable ASCII characters.",
        )
    canonical = _canonical(content)
    return Idempotency(
        key=(project, f"{request.method} {request.url.path}", key),
        digests={
            key_id: hmac.digest(keyring.purpose(key_id, "idempotency"), canonical, hashlib.sha256)
            for key_id in keyring.ids
        },
        current=keyring.current,
    )
