"""Whether a request is what it says, and exactly why not."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec.structs import replace

from gateway.cli.http.replies import Answer
from gateway.cli.webhook.mistakes import mistake
from gateway.cli.webhook.request import SignedRequest
from gateway.cli.webhook.secret import Secret
from gateway.wire.signing import (
    STANDARD,
    SVIX,
    TOLERANCE_SECONDS,
    MalformedHeaders,
    SignedHeaders,
)

_MILLISECONDS: Final = 13
"""Digits of a moment in milliseconds, for the next two and a half centuries."""


class Verdict(Answer, frozen=True, kw_only=True):
    """What was found; the codes are those a gateway refuses with."""

    verified: bool
    code: Literal["malformed_headers", "invalid_signature", "timestamp_out_of_tolerance"] | None = (
        None
    )
    detail: str = ""
    hint: str = ""
    id: str | None = None
    timestamp: int | None = None
    skew_seconds: int | None = None
    """How much later than the timestamp our clock is."""
    secret: int | None = None
    """Which of the secrets has signed it, from 1."""

    @property
    def age(self) -> str:
        """The same for a person."""
        skew = self.skew_seconds or 0
        return f"{skew} s ago" if skew >= 0 else f"{-skew} s from now"


def judge(
    request: SignedRequest,
    secrets: Sequence[Secret],
    now: float,
    tolerance: int = TOLERANCE_SECONDS,
) -> Verdict:
    """The verdict over a request; now in Unix seconds."""
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
    return _judge(signed, request.body, secrets, now, tolerance)


def _judge(
    signed: SignedHeaders, body: bytes, secrets: Sequence[Secret], now: float, tolerance: int
) -> Verdict:
    matching = [at for at, one in enumerate(secrets, 1) if signed.is_signed_by(one.key, body)]
    found = Verdict(
        verified=False,
        id=signed.id,
        timestamp=signed.timestamp,
        skew_seconds=round(now - signed.timestamp),
        secret=matching[0] if matching else None,
    )
    if not matching:
        said = [mistake(signed, body, secret) for secret in secrets]
        return replace(
            found,
            code="invalid_signature",
            detail=f"None of the signatures was made with {_any_of(secrets)} over this body.",
            hint=next((each for each in said if each), _OTHERWISE),
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


_OTHERWISE: Final = (
    "Is it the secret of this very endpoint, callback or attempt, and the body byte for byte as "
    "it came?"
)


def _any_of(secrets: Sequence[Secret]) -> str:
    return "this secret" if len(secrets) == 1 else f"any of these {len(secrets)} secrets"


def _malformed(detail: str, hint: str) -> Verdict:
    return Verdict(verified=False, code="malformed_headers", detail=detail, hint=hint)
