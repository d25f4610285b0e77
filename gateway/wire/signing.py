"""Standard Webhooks 1.0.0 signatures: `v1,` + base64(HMAC-SHA256(secret, "id.timestamp.body")).

Source: standard-webhooks spec/standard-webhooks.md. The reference library raises raw `ValueError`,
`binascii.Error` or `UnicodeDecodeError` on malformed headers; here there is one error type.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

import msgspec

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how secrets begin, not one
TOLERANCE_SECONDS: Final = 300
MAX_SIGNATURES: Final = 16
STANDARD: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
SVIX: Final = ("svix-id", "svix-timestamp", "svix-signature")
"""The names of Svix before the standard; the signature is the same."""
_ID: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}")
_TIMESTAMP: Final = re.compile(r"0|[1-9][0-9]{0,11}")
_NOT_BASE64: Final = "webhook-signature must be 'v1,' and standard base64"


class MalformedHeaders(Exception):
    """A webhook header is missing or malformed; the message names it."""


class SignedHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of one signed message, checked for form only."""

    id: str
    timestamp: int
    """Unix seconds of this attempt."""
    signatures: tuple[bytes, ...]
    """Decoded `v1` signatures; others are ignored, as the standard demands."""

    @classmethod
    def parse(
        cls, headers: Mapping[str, str], names: tuple[str, str, str] = STANDARD
    ) -> "SignedHeaders":
        """Read the three headers of these names.

        Raises:
            MalformedHeaders: one of them is absent or has another form.
        """
        id_name, timestamp_name, signature_name = names
        message_id = headers.get(id_name, "")
        timestamp = headers.get(timestamp_name, "")
        if not _ID.fullmatch(message_id):
            raise MalformedHeaders(f"{id_name} must be 1 to 128 of A-Z a-z 0-9 _ -")
        if not _TIMESTAMP.fullmatch(timestamp):
            raise MalformedHeaders(f"{timestamp_name} must be Unix seconds")
        signatures = _decode_signatures(headers.get(signature_name, ""))
        return cls(id=message_id, timestamp=int(timestamp), signatures=signatures)

    def is_timely(self, now_seconds: float, *, tolerance: int = TOLERANCE_SECONDS) -> bool:
        """True if the timestamp is at most `tolerance` seconds before or after now."""
        return abs(now_seconds - self.timestamp) <= tolerance

    def is_signed_by(self, secret: bytes, body: bytes) -> bool:
        """True if this secret made any of the signatures; each is compared in constant time."""
        expected = _mac(secret, self.id, self.timestamp, body)
        matches = [hmac.compare_digest(expected, given) for given in self.signatures]
        return any(matches)


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One entry of a `webhook-signature` header; timestamp in Unix seconds."""
    mac = _mac(secret, message_id, timestamp, body)
    return "v1," + base64.b64encode(mac).decode("ascii")


def secret_text(secret: bytes) -> str:
    """A secret in its text form: `whsec_` + base64."""
    return SECRET_PREFIX + base64.b64encode(secret).decode("ascii")


def secret_bytes(text: str) -> bytes:
    """The key of a `whsec_` secret.

    Raises:
        ValueError: not base64, or shorter than the standard's 24 bytes.
    """
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError("a webhook secret is 'whsec_' and base64") from exc
    if len(secret) < 24:
        raise ValueError("a webhook secret has at least 24 bytes")
    return secret


def _mac(secret: bytes, message_id: str, timestamp: int, body: bytes) -> bytes:
    return hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _decode_signatures(header: str) -> tuple[bytes, ...]:
    entries = [entry.partition(",") for entry in header.split(" ")[:MAX_SIGNATURES] if entry]
    signatures = tuple(
        _decode(value) for version, comma, value in entries if version == "v1" and comma
    )
    if not signatures:
        raise MalformedHeaders("webhook-signature must hold at least one 'v1,<base64>'")
    return signatures


def _decode(value: str) -> bytes:
    try:
        signature = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise MalformedHeaders(_NOT_BASE64) from exc
    # The last character has unused bits, so that other texts would decode to the same bytes.
    if base64.b64encode(signature).decode("ascii") != value:
        raise MalformedHeaders(_NOT_BASE64)
    return signature
