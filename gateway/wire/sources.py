"""The webhooks of Daytona and GitHub, and the answer to them; unknown fields are ignored.

Sources: Daytona's OpenAPI document, `WebhookEvent`; docs.github.com/en/webhooks, "Validating
webhook deliveries" and the event `pull_request`. GitHub signs neither id, event name nor time.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from gateway.wire.signing import MalformedHeaders

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
State = Annotated[str, msgspec.Meta(max_length=60)]
Reason = Literal[
    "unknown_sandbox",
    "unknown_pull_request",
    "nothing_to_do",
    "follow_up_limit",
    "repo_not_allowed",
    "not_followed",
    "ping",
]

SANDBOXES: Final = "sandbox."
"""The prefix of Daytona's events about sandboxes; others are about snapshots and volumes."""
PING: Final = "ping"
PULL_REQUEST: Final = "pull_request"
_DELIVERY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_EVENT: Final = re.compile(r"[a-z_]{1,60}")
_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")


class SandboxEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event of Daytona about a sandbox; it has no name, labels or reason."""

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    id: Id | None = None
    """The sandbox's; absent from some other events."""
    state: State | None = None
    """The state of a created sandbox."""
    new_state: State | None = None
    """The state of a changed sandbox."""


class HubHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a delivery of GitHub, checked for form only."""

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
        return hmac.compare_digest(hmac.digest(secret, body, hashlib.sha256), self.signature)


class GitHubUser(msgspec.Struct, frozen=True):
    """The sender of an event."""

    login: Annotated[str, msgspec.Meta(max_length=100)]


class GitHubPullRequest(msgspec.Struct, frozen=True):
    """A pull request at the time of the event."""

    html_url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    merged: bool = False
    closed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    merge_commit_sha: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class PullRequestEvent(msgspec.Struct, frozen=True):
    """The event `pull_request`."""

    action: Annotated[str, msgspec.Meta(max_length=60)]
    pull_request: GitHubPullRequest
    sender: GitHubUser | None = None


class GitHubText(msgspec.Struct, frozen=True):
    """A comment or a review, and its author's relation to the repository."""

    user: GitHubUser | None
    """None: the account was deleted."""
    author_association: Annotated[str, msgspec.Meta(max_length=60)]
    body: str | None = None
    state: Annotated[str, msgspec.Meta(max_length=60)] = ""
    """Of a review."""
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    submitted_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """Of a review."""


class GitHubPullRequestLink(msgspec.Struct, frozen=True):
    """The pull request of an issue; plain issues have none."""

    html_url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]


class GitHubIssue(msgspec.Struct, frozen=True):
    """A commented issue."""

    pull_request: GitHubPullRequestLink | None = None


class CommentEvent(msgspec.Struct, frozen=True):
    """The event `issue_comment`, which pull requests have too."""

    action: Annotated[str, msgspec.Meta(max_length=60)]
    issue: GitHubIssue
    comment: GitHubText


class ReviewEvent(msgspec.Struct, frozen=True):
    """The event `pull_request_review`."""

    action: Annotated[str, msgspec.Meta(max_length=60)]
    review: GitHubText
    pull_request: GitHubPullRequestLink


class GitHubRepositoryId(msgspec.Struct, frozen=True):
    """A repository, by its number."""

    id: int | None = None


class GitHubSide(msgspec.Struct, frozen=True):
    """The base or the head of a pull request; the repository of a head may be deleted."""

    repo: GitHubRepositoryId | None = None


class GitHubCheckedPull(msgspec.Struct, frozen=True):
    """A pull request whose head is the checked commit; it may be one of a repository to or from
    which this one was forked."""

    number: Annotated[int, msgspec.Meta(ge=1)]
    base: GitHubSide = GitHubSide()
    head: GitHubSide = GitHubSide()

    def is_within(self, repository: int | None) -> bool:
        """True if it is from a branch of the repository to another."""
        sides = (self.base.repo, self.head.repo)
        return all(side is not None and side.id == repository for side in sides)


class GitHubCheck(msgspec.Struct, frozen=True):
    """A run of a check; `pull_requests` is empty for those from forks."""

    name: Annotated[str, msgspec.Meta(max_length=500)]
    head_sha: Annotated[str, msgspec.Meta(max_length=64)]
    conclusion: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    pull_requests: tuple[GitHubCheckedPull, ...] | None = ()
    completed_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class GitHubRepository(msgspec.Struct, frozen=True):
    """A repository."""

    html_url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    id: int | None = None


class CheckRunEvent(msgspec.Struct, frozen=True):
    """The event `check_run`."""

    action: Annotated[str, msgspec.Meta(max_length=60)]
    check_run: GitHubCheck
    repository: GitHubRepository

    @property
    def own_pull_requests(self) -> tuple[int, ...]:
        """The numbers of those that no fork has a part in."""
        listed = self.check_run.pull_requests or ()
        return tuple(pull.number for pull in listed if pull.is_within(self.repository.id))


class Received(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The answer to an authentic webhook; `applied` if it is about something of ours."""

    accepted: bool
    applied: bool
    reason: Reason | None = None
    """The reason if it was not applied."""
    duplicate: bool = False
