"""Standard Webhooks 1.0.0 signatures: `v1,` + base64(HMAC-SHA256(key, "id.timestamp.body")).

These lines repeat the gateway's on purpose: nothing of the gateway is in the sandbox. One file of
test vectors is asserted against both.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from ..secret import Secret

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix, not a secret


class Signer:
    """Signs and checks with the key of one attempt."""

    def __init__(self, secret: Secret) -> None:
        """Take a `whsec_` secret.

        Raises:
            ValueError: what follows the prefix is not base64, or is empty.
        """
        try:
            self._key = base64.b64decode(secret.value.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error as exc:
            raise ValueError("a webhook secret is 'whsec_' and base64") from exc
        if not self._key:
            raise ValueError("a webhook secret is 'whsec_' and base64")

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """One entry of a `webhook-signature` header; timestamp in Unix seconds."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        mac = hmac.digest(self._key, signed, hashlib.sha256)
        return "v1," + base64.b64encode(mac).decode("ascii")

    def is_ours(self, message_id: str, timestamp: int, body: bytes, signature: str) -> bool:
        """Whether this very key made the signature, compared in constant time."""
        expected = self.sign(message_id, timestamp, body)
        return hmac.compare_digest(expected.encode(), signature.encode())
