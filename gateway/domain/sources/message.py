"""Messages of services that see what becomes of a task: Daytona its sandbox, GitHub its pull
request."""

from typing import Final, Literal

from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.tasks.task import Frozen

SourceName = Literal["daytona", "github"]
Reason = Literal["unknown_sandbox", "unknown_pull_request", "nothing_to_do"]

WINDOW: Final = 7 * 24 * 3_600_000
"""How long a message is known again (milliseconds): longer than either service repeats one."""


class Message(Frozen, frozen=True, kw_only=True):
    """An authentic message, as it is known again."""

    source: SourceName
    id: str
    body_hash: str
    """SHA-256 in hex."""


class Seen(Frozen, frozen=True, kw_only=True):
    """A message of the last days; one without an effect is looked at again when it comes again."""

    message: Message
    applied: bool
    at: int


class NoticeReply(Frozen, frozen=True, kw_only=True):
    """What a message did; None for a reason: what it asks for."""

    applied: bool
    reason: Reason | None = None
    duplicate: bool = False


class SandboxNotice(Frozen, frozen=True, kw_only=True):
    """Daytona says that a sandbox has changed."""

    message: Message
    sandbox_id: str
    state: str
    """Its new one, in Daytona's words."""

    @property
    def needs(self) -> ReadSet:
        """Itself: a look for the attempt by its sandbox."""
        return ReadSet(notice=self)


class PullRequestNotice(Frozen, frozen=True, kw_only=True):
    """GitHub says that a pull request was merged or closed."""

    message: Message
    url: str
    is_merged: bool
    merge_commit_sha: str | None = None
    by: str | None = None
    """The login of who did it."""

    @property
    def needs(self) -> ReadSet:
        """Itself: a look for the tasks by their pull request."""
        return ReadSet(notice=self)
