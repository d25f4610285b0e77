"""Answers: what a command is told once it is committed."""

from gateway.domain.deliveries.commands import EndpointReply, ReplayReply
from gateway.domain.launching.job import Job
from gateway.domain.sources.message import NoticeReply
from gateway.domain.tasks.task import Attempt, Frozen, Task


class TaskReply(Frozen, frozen=True, kw_only=True):
    """The task as it stands after the command."""

    task: Task
    replayed: bool = False


class AgentEventReply(Frozen, frozen=True, kw_only=True):
    """The answer to an agent's word."""

    applied: bool
    cancel: bool
    deadline_at: int | None
    duplicate: bool = False


class TryReply(Frozen, frozen=True, kw_only=True):
    """Whether and until when (milliseconds) a create call may start."""

    create: bool
    create_before: int


class LeaseReply(Frozen, frozen=True, kw_only=True):
    """The lease holds until then (milliseconds)."""

    expires_at: int
    cancel: bool
    task_id: str | None = None
    attempt: int | None = None
    """Whose job it is."""


class ClaimedJob(Frozen, frozen=True, kw_only=True):
    """A job with what it is about, as its launcher gets it."""

    job: Job
    task: Task | None = None
    attempt: Attempt | None = None


class ClaimReply(Frozen, frozen=True, kw_only=True):
    """The jobs of a claim, most urgent first."""

    jobs: tuple[ClaimedJob, ...]


class Accepted(Frozen, frozen=True, kw_only=True):
    """Nothing more to say."""


Answer = (
    TaskReply
    | AgentEventReply
    | ClaimReply
    | TryReply
    | LeaseReply
    | Accepted
    | EndpointReply
    | ReplayReply
    | NoticeReply
)
