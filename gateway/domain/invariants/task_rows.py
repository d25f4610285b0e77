"""The stored rows of a task, and the problems that `slipgate verify` may find in them."""

from typing import Literal

from gateway.domain.deliveries.endpoint import Subscription
from gateway.domain.launching.job import Job
from gateway.domain.tasks.task import Attempt, Frozen, Task

ProblemName = Literal[
    "attempt_missing",
    "attempt_unopened",
    "claimable_after_end",
    "counts_differ",
    "delivery_differs",
    "delivery_missing",
    "delivery_of_refused",
    "delivery_state",
    "delivery_unasked",
    "event_unreadable",
    "events_lost",
    "forbidden_transition",
    "foreign_key",
    "gap_in_task_seq",
    "integrity",
    "job_left_open",
    "ledger_behind",
    "never_claimable",
    "never_due",
    "no_destroy_job",
    "no_events",
    "own_event_torn",
    "no_task",
    "nobody_launches",
    "patch_torn",
    "row_differs",
    "row_unreadable",
    "sandbox_forgotten",
    "schema_differs",
    "secret_in_event",
    "seq_not_increasing",
    "stale_word",
    "two_sandboxes",
    "unknown_key",
    "webhook_twice",
    "word_after_end",
    "wrong_due_time",
]
"""Stable names, which operators look up."""
Finding = tuple[ProblemName, str]
"""The name of a problem, and its detail."""


class DeliveryRow(Frozen, frozen=True, kw_only=True):
    """A delivery as stored; `status` is unchecked."""

    endpoint_id: str
    seq: int
    task_id: str
    task_seq: int
    status: str
    attempts: int
    next_attempt_at: int | None


class TaskRows(Frozen, frozen=True, kw_only=True):
    """The rows of one task, without its events."""

    task: Task
    due_at: int | None
    """The column that the reconciler reads: the earliest of the task's clocks."""
    attempts: tuple[Attempt, ...] = ()
    jobs: tuple[Job, ...] = ()
    deliveries: tuple[DeliveryRow, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    """Subscriptions of the endpoints for its events, oldest first."""

    @property
    def numbers(self) -> set[int]:
        """The numbers of the attempts with a row."""
        return {attempt.number for attempt in self.attempts}

    def open_job(self, kind: str, attempt: int) -> bool:
        """True if the attempt has an open job of this kind."""
        wanted = (kind, attempt)
        return any((job.kind, job.attempt) == wanted and job.is_open for job in self.jobs)


class Problem(Frozen, frozen=True, kw_only=True):
    """A violated invariant; `name` is stable, the rest is for people."""

    name: ProblemName
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.name} {self.subject}: {self.detail}"
