"""Verification of a signed request; a failure names the mistake that explains it."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from gateway.cli.console.output import CommandFailed
from gateway.cli.webhook.secret import Secret
from gateway.wire.message import Reply
from gateway.wire.signing import (
    SECRET_PREFIX,
    STANDARD,
    SVIX,
    TOLERANCE_SECONDS,
    MalformedHeaders,
    SignedHeaders,
)

_REQUEST_LINE: Final = re.compile(r"[A-Z]+ \S+( HTTP/[0-9.]+)?")
_HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:(.*)", re.DOTALL)
_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n")
_MILLISECONDS: Final = 13
"""Digits of a moment in milliseconds, for the next two and a half centuries."""
_REWRITTEN: Final = "The body was parsed and written again: verify the bytes as they came."
_TRIMMED: Final = "The body lost or won line breaks on the way: verify the bytes as they came."
_UNKNOWN: Final = (
    "Check that it is the secret of this very endpoint, callback or attempt, and the body byte "
    "for byte as it came."
)


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request with its exact body; names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "SignedRequest":
        """Reads a saved request: an optional request line, headers, an empty line, the body.

        Raises:
            CommandFailed: it does not have that form.
        """
        end = _END_OF_HEADERS.search(raw)
        if end is None:
            raise CommandFailed(
                "The saved request has no empty line between its headers and its body.",
                "Save it for --request as it came: headers, one empty line, the body unchanged.",
            )
        lines = raw[: end.start()].decode("latin-1").splitlines()
        if lines and _REQUEST_LINE.fullmatch(lines[0]):
            del lines[0]
        return cls(headers=parse_headers(lines), body=raw[end.end() :])


def parse_headers(lines: Iterable[str]) -> dict[str, str]:
    """Headers from lines of `Name: value`.

    Raises:
        CommandFailed: a line has another form.
    """
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise CommandFailed(
                f"{line[:60]!r} is not a header.", "Write it as `webhook-id: evt_…`."
            )
        headers[found[1].lower()] = found[2].strip()
    return headers


class Verification(Reply, frozen=True, kw_only=True):
    """The result of a verification; the codes are those of the gateway."""

    verified: bool
    code: Literal["malformed_headers", "invalid_signature", "timestamp_out_of_tolerance"] | None = (
        None
    )
    detail: str = ""
    hint: str = ""
    id: str | None = None
    timestamp: int | None = None
    skew_seconds: int | None = None
    """Seconds from the timestamp to our clock."""
    secret: int | None = None
    """The number of the secret that signed it, from 1."""

    @property
    def age(self) -> str:
        skew = self.skew_seconds or 0
        return f"{skew} s ago" if skew >= 0 else f"{-skew} s from now"


def verify(
    request: SignedRequest,
    secrets: Sequence[Secret],
    now: float,
    tolerance: int = TOLERANCE_SECONDS,
) -> Verification:
    """Verifies a request at a time in Unix seconds."""
    names = SVIX if STANDARD[0] not in request.headers and SVIX[0] in request.headers else STANDARD
    missing = [name for name in names if name not in request.headers]
    if missing:
        return _malformed(f"{', '.join(missing)}: missing.", "Keep all three headers.")
    try:
        signed = SignedHeaders.parse(request.headers, names)
    except MalformedHeaders as exc:
        digits = request.headers[names[1]]
        is_long = digits.isdecimal() and len(digits) == _MILLISECONDS
        return _malformed(f"{exc}.", "That one is in milliseconds." if is_long else "")
    return _verify_signed(signed, request.body, secrets, now, tolerance)


def _malformed(detail: str, hint: str) -> Verification:
    return Verification(verified=False, code="malformed_headers", detail=detail, hint=hint)


def _verify_signed(
    signed: SignedHeaders, body: bytes, secrets: Sequence[Secret], now: float, tolerance: int
) -> Verification:
    matching = [at for at, one in enumerate(secrets, 1) if signed.is_signed_by(one.key, body)]
    found = Verification(
        verified=False,
        id=signed.id,
        timestamp=signed.timestamp,
        skew_seconds=round(now - signed.timestamp),
        secret=matching[0] if matching else None,
    )
    if not matching:
        mistakes = filter(None, (_find_mistake(signed, body, secret) for secret in secrets))
        any_of = "this secret" if len(secrets) == 1 else f"any of these {len(secrets)} secrets"
        return replace(
            found,
            code="invalid_signature",
            detail=f"None of the signatures was made with {any_of} over this body.",
            hint=next(mistakes, _UNKNOWN),
        )
    if not signed.is_timely(now, tolerance=tolerance):
        return replace(
            found,
            code="timestamp_out_of_tolerance",
            detail=f"The signature is right, but it was made {found.age}; {tolerance} s are borne.",
            hint="Sign each attempt to send anew, and keep the clocks right. For a request that "
            "was kept, widen --tolerance.",
        )
    return replace(found, verified=True)


def _find_mistake(signed: SignedHeaders, body: bytes, secret: Secret) -> str | None:
    """The usual mistake that explains a wrong signature, found by making each until one matches."""
    for key, mistake in _other_keys(secret):
        if signed.is_signed_by(key, body):
            return mistake
    for other, mistake in _other_bodies(body):
        if other != body and signed.is_signed_by(secret.key, other):
            return mistake
    for content, mistake in _other_contents(signed, body):
        mac = hmac.digest(secret.key, content, hashlib.sha256)
        if any(hmac.compare_digest(mac, given) for given in signed.signatures):
            return mistake
    return None


def _other_keys(secret: Secret) -> Iterator[tuple[bytes, str]]:
    mistake = "It was signed with the text of the secret: the key is what its base64 stands for."
    bare = secret.text.removeprefix(SECRET_PREFIX)
    yield (SECRET_PREFIX + bare).encode(), mistake
    yield bare.encode(), mistake


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
    yield msgspec.json.encode(value), _REWRITTEN
    yield json.dumps(value).encode(), _REWRITTEN
    yield json.dumps(value, separators=(",", ":")).encode(), _REWRITTEN
    yield json.dumps(value, indent=2, ensure_ascii=False).encode(), _REWRITTEN


def _other_contents(signed: SignedHeaders, body: bytes) -> Iterator[tuple[bytes, str]]:
    right = "sign 'id.timestamp.body'"
    yield body, f"Only the body was signed: {right}."
    yield f"{signed.timestamp}.".encode() + body, f"The id was not signed: {right}."
    yield f"{signed.id}.".encode() + body, f"The timestamp was not signed: {right}."
