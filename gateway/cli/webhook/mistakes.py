"""Why a signature does not match, found by making the usual mistakes until one of them matches."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.cli.webhook.secret import Secret
from gateway.wire.signing import SECRET_PREFIX, SignedHeaders

_SPACED: Final = "The body was parsed and written again: verify the bytes as they came."
_TRIMMED: Final = "The body lost or won line breaks on the way: verify the bytes as they came."


def mistake(signed: SignedHeaders, body: bytes, secret: Secret) -> str | None:
    """What the sender or the receiver did wrong, if it is one of the usual things."""
    for key, said in _other_keys(secret):
        if signed.is_signed_by(key, body):
            return said
    for other, said in _other_bodies(body):
        if other != body and signed.is_signed_by(secret.key, other):
            return said
    for content, said in _other_contents(signed, body):
        mac = hmac.digest(secret.key, content, hashlib.sha256)
        if any(hmac.compare_digest(mac, given) for given in signed.signatures):
            return said
    return None


def _other_keys(secret: Secret) -> Iterator[tuple[bytes, str]]:
    whole = SECRET_PREFIX + secret.text.removeprefix(SECRET_PREFIX)
    said = "It was signed with the text of the secret: the key is what its base64 stands for."
    yield whole.encode(), said
    yield whole.removeprefix(SECRET_PREFIX).encode(), said


def _other_bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    yield body.rstrip(b"\r\n"), _TRIMMED
    yield body + b"\n", _TRIMMED
    yield body.replace(b"\r\n", b"\n"), _TRIMMED
    yield body.replace(b"\n", b"\r\n"), _TRIMMED
    yield b"", "An empty body was signed."
    try:
        value = json.loads(body)
    except ValueError:
        return
    yield msgspec.json.encode(value), _SPACED
    yield json.dumps(value).encode(), _SPACED
    yield json.dumps(value, separators=(",", ":")).encode(), _SPACED
    yield json.dumps(value, indent=2, ensure_ascii=False).encode(), _SPACED


def _other_contents(signed: SignedHeaders, body: bytes) -> Iterator[tuple[bytes, str]]:
    right = "sign 'id.timestamp.body'"
    yield body, f"Only the body was signed: {right}."
    yield f"{signed.timestamp}.".encode() + body, f"The id was not signed: {right}."
    yield f"{signed.id}.".encode() + body, f"The timestamp was not signed: {right}."
