"""Standard Webhooks 1.0.0 signatures: `v1,` + base64(HMAC-SHA256(key, "id.timestamp.body")).

Repeats the gateway's code, which is not in the sandbox; one file of test vectors checks both.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from ..variables import Secret

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix, not a secret


class Signer:
    """Signs and verifies with the key of one attempt."""

    def __init__(self, secret: Secret) -> None:
        try:
            self._key = base64.b64decode(secret.value.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error as exc:
            raise ValueError("a webhook secret is 'whsec_' and base64") from exc
        if not self._key:
            raise ValueError("a webhook secret is 'whsec_' and base64")

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """One entry of a `webhook-signature` header; the timestamp is in Unix seconds."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        mac = hmac.digest(self._key, signed, hashlib.sha256)
        return "v1," + base64.b64encode(mac).decode("ascii")

    def sign_receipts(self, task_id: str, attempt: int, validation: object) -> str:
        """The signature of the receipts as they are sent. No message has an id like this one's."""
        return self.sign(f"receipts.{task_id}", attempt, canonical(validation))

    def is_ours(self, message_id: str, timestamp: int, body: bytes, signature: str) -> bool:
        """True if this key made the signature; compared in constant time."""
        expected = self.sign(message_id, timestamp, body)
        return hmac.compare_digest(expected.encode(), signature.encode())


def canonical(value: object) -> bytes:
    """JSON by RFC 8785, of numbers with few digits."""
    text = json.dumps(
        _whole_numbers(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return text.encode(errors="replace")


def _whole_numbers(value: object) -> object:
    """The value with `1.0` as `1`, which is the same number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value
