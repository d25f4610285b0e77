"""Messages of services: of Daytona about sandboxes, of GitHub about pull requests."""

from typing import Final, Literal

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import CreateTask
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.tasks.spec import FollowUpKind
from gateway.domain.tasks.task import Frozen

SourceName = Literal["daytona", "github"]
Reason = Literal["unknown_sandbox", "unknown_pull_request", "nothing_to_do", "follow_up_limit"]

WINDOW: Final = 7 * 24 * 3_600_000
"""Retention of message ids (milliseconds): longer than either service repeats a message."""


class Message(Frozen, frozen=True, kw_only=True):
    """The identity of an authentic message."""

    source: SourceName
    id: str
    body_hash: str
    """SHA-256 in hex."""


class Seen(Frozen, frozen=True, kw_only=True):
    """A stored message; one without an effect is applied again when it is repeated."""

    message: Message
    applied: bool
    at: int


class NoticeReply(Answer, frozen=True, kw_only=True):
    """The effect of a message; `reason` is None if it was applied."""

    applied: bool
    reason: Reason | None = None
    duplicate: bool = False


class SandboxNotice(Command, frozen=True, kw_only=True):
    """A sandbox has changed, by Daytona."""

    message: Message
    sandbox_id: str
    state: str
    """The new state, by Daytona's name."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(notice=self)


class AboutPullRequest(Command, frozen=True, kw_only=True):
    """A message of GitHub about a pull request."""

    message: Message
    url: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(notice=self)


class FollowUpNotice(AboutPullRequest, frozen=True, kw_only=True):
    """A comment, a review or a failed check asks for a continuation."""

    kind: FollowUpKind
    creation: CreateTask
    limit: int
    """Follow-ups of one pull request."""


class PullRequestNotice(AboutPullRequest, frozen=True, kw_only=True):
    """A pull request was merged or closed, by GitHub."""

    is_merged: bool
    merge_commit_sha: str | None = None
    by: str | None = None
    """The login of the person."""
