"""Signed messages of services: the proof of their sender, and the reply."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.sources.message import NoticeReply
from gateway.web.http.operation import answer
from gateway.web.http.replies import reply
from gateway.wire.signing import MalformedHeaders
from gateway.wire.sources import Reason, Received

H = TypeVar("H")

ANSWERS: Final = (
    answer(Received, "Authentic; `reason` says why nothing came of it.", status=202),
    answer(Received, "The same came before, in the last 7 days.", example="Received:duplicate"),
)
ERRORS: Final = ("not_found", "webhook_id_reused")


class Signed(Protocol):
    """The headers of a signed message, checked for form only."""

    def is_signed_by(self, secret: bytes, body: bytes) -> bool:
        """True if it was signed with this secret; in constant time."""


def parse_headers(parse: Callable[[Mapping[str, str]], H], headers: Mapping[str, str]) -> H:
    """The headers of a signature, or `malformed_headers`."""
    try:
        return parse(headers)
    except MalformedHeaders as exc:
        raise ApiError("malformed_headers", f"{exc}.") from exc


def prove(signed: Signed, secrets: Sequence[bytes], body: bytes) -> None:
    """Checks the signature against each secret, of which there are two during a rotation."""
    matches = [signed.is_signed_by(secret, body) for secret in secrets]
    if not any(matches):
        raise ApiError(
            "invalid_signature",
            "The signature does not match.",
            hint="Give the gateway the secret of this very webhook: it signs the raw body.",
        )


def out_of_tolerance() -> ApiError:
    """The error of a message that was signed at another time."""
    return ApiError(
        "timestamp_out_of_tolerance",
        "The timestamp is more than 300 s away from our clock.",
        hint="Sign each attempt to send anew, and keep the clock right.",
    )


def required(secrets: Sequence[bytes], name: str) -> Sequence[bytes]:
    """The secrets of a source; `not_found` if it has none: nobody could prove anything."""
    if not secrets:
        raise ApiError(
            "not_found", "This gateway takes no such webhooks.", hint=f"It does once {name} is set."
        )
    return secrets


def result(done: NoticeReply) -> Response:
    """202, or 200 for a message that came before."""
    received = Received(
        accepted=True, applied=done.applied, reason=done.reason, duplicate=done.duplicate
    )
    return reply(received, 200 if done.duplicate else 202)


def not_applied(reason: Reason) -> Response:
    """The reply to an authentic message that is not followed."""
    return reply(Received(accepted=True, applied=False, reason=reason), 202)
