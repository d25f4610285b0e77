"""Proof that a message comes from a service that shares a secret with this installation."""

from collections.abc import Sequence
from typing import Protocol

from gateway.domain.kernel.errors import ApiError


class Signed(Protocol):
    """The headers of a signed message, checked for form only."""

    def is_signed_by(self, secret: bytes, body: bytes) -> bool:
        """Whether it was signed with this secret, in constant time."""


def prove(signed: Signed, secrets: Sequence[bytes], body: bytes) -> None:
    """Any of the secrets is right: during a rotation there are two.

    Raises:
        ApiError: `invalid_signature`.
    """
    matches = [signed.is_signed_by(secret, body) for secret in secrets]
    if not any(matches):
        raise ApiError(
            "invalid_signature",
            "The signature does not match.",
            hint="Give the gateway the secret of this very webhook: it signs the raw body.",
        )


def out_of_tolerance() -> ApiError:
    """The refusal of what was signed at another time."""
    return ApiError(
        "timestamp_out_of_tolerance",
        "The timestamp is more than 300 s away from our clock.",
        hint="Sign each attempt to send anew, and keep the clock right.",
    )


def required(secrets: Sequence[bytes], name: str) -> Sequence[bytes]:
    """The secrets of a source.

    Raises:
        ApiError: `not_found`, there are none, so that nobody could prove anything.
    """
    if not secrets:
        raise ApiError(
            "not_found", "This gateway takes no such webhooks.", hint=f"It does once {name} is set."
        )
    return secrets
