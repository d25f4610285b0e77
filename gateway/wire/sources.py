"""What GitHub's webhooks say, and how they are signed.

Source: docs.github.com/en/webhooks, "Validating webhook deliveries" and the event `pull_request`.
Only the body is signed: neither the delivery's id, nor the event's name, nor any moment.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

import msgspec

from gateway.wire.signing import MalformedHeaders

PING: Final = "ping"
PULL_REQUEST: Final = "pull_request"
_DELIVERY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_EVENT: Final = re.compile(r"[a-z_]{1,60}")
_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")


class HubHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of one delivery, checked for form only."""

    id: str
    event: str
    signature: bytes

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> "HubHeaders":
        """Read `X-GitHub-Delivery`, `X-GitHub-Event` and `X-Hub-Signature-256`.

        Raises:
            MalformedHeaders: one of them is absent or has another form.
        """
        delivery = headers.get("x-github-delivery", "")
        event = headers.get("x-github-event", "")
        signature = _SIGNATURE.fullmatch(headers.get("x-hub-signature-256", ""))
        if not _DELIVERY.fullmatch(delivery):
            raise MalformedHeaders("X-GitHub-Delivery must be the id of a delivery")
        if not _EVENT.fullmatch(event):
            raise MalformedHeaders("X-GitHub-Event must be the name of an event")
        if signature is None:
            raise MalformedHeaders(
                "X-Hub-Signature-256 must be 'sha256=' and 64 hex digits: give the webhook a secret"
            )
        return cls(id=delivery, event=event, signature=bytes.fromhex(signature[1]))

    def is_signed_by(self, secret: bytes, body: bytes) -> bool:
        """Whether the signature was made with this secret, in constant time."""
        return hmac.compare_digest(hmac.digest(secret, body, hashlib.sha256), self.signature)


class GitHubUser(msgspec.Struct, frozen=True):
    """Whoever did it."""

    login: Annotated[str, msgspec.Meta(max_length=100)]


class GitHubPullRequest(msgspec.Struct, frozen=True):
    """A pull request as it stood then."""

    html_url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    merged: bool = False
    closed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    merge_commit_sha: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class PullRequestEvent(msgspec.Struct, frozen=True):
    """The event `pull_request`."""

    action: Annotated[str, msgspec.Meta(max_length=60)]
    pull_request: GitHubPullRequest
    sender: GitHubUser | None = None
