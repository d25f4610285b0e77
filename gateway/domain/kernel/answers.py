"""Answers: the results of commands, given to their callers after the commit."""

from typing import Self

from gateway.domain.launching.job import Job
from gateway.domain.tasks.task import Attempt, Frozen, Task


class Answer(Frozen, frozen=True, kw_only=True):
    """The base class of answers."""

    def numbered(self, _seq: int) -> Self:
        """The answer once its batch has numbers; `_seq` is that of the newest event before it."""
        return self


class TaskReply(Answer, frozen=True, kw_only=True):
    """The task after the command."""

    task: Task
    replayed: bool = False


class AgentEventReply(Answer, frozen=True, kw_only=True):
    """The answer to an agent's event."""

    applied: bool
    cancel: bool
    deadline_at: int | None
    duplicate: bool = False


class TryReply(Answer, frozen=True, kw_only=True):
    """The permission to start a create call, until `create_before` (milliseconds)."""

    create: bool
    create_before: int


class LeaseReply(Answer, frozen=True, kw_only=True):
    """A renewed lease, and the task and attempt of its job; `expires_at` in milliseconds."""

    expires_at: int
    cancel: bool
    task_id: str | None = None
    attempt: int | None = None


class ClaimedJob(Frozen, frozen=True, kw_only=True):
    """A job with its task and attempt, as its launcher gets it."""

    job: Job
    task: Task | None = None
    attempt: Attempt | None = None


class ClaimReply(Answer, frozen=True, kw_only=True):
    """The jobs of a claim, most urgent first."""

    jobs: tuple[ClaimedJob, ...]


class Accepted(Answer, frozen=True, kw_only=True):
    """The answer without content."""
