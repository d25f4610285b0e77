"""What happens when a clock comes due: asked first, judged then, never in silence."""

from typing import Final

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import JobDue, TaskDue
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.claim import release, revoked
from gateway.domain.launching.inspection import fail, time_out
from gateway.domain.launching.launch import launch_failed
from gateway.domain.tasks.event import Ended
from gateway.domain.tasks.finish import UNCONFIRMED_AFTER, destroy, end
from gateway.domain.tasks.queue_clock import STILL, queue_left, watch
from gateway.domain.tasks.task import (
    CLOCK_NAMES,
    Attempt,
    Status,
    TaskError,
)
from gateway.domain.tasks.task_change import TaskChange

LONGEST_DETAIL: Final = 500
"""Characters of a flag's detail that holds another's words."""


def lease_due(view: UnitOfWork, command: JobDue, now: int) -> Accepted:
    """A lease that was not renewed: the job is offered to another launcher of its realm."""
    job = view.jobs.get(command.job_id)
    if job is None or not job.is_open or job.lease_expires_at is None:
        return Accepted()
    if job.lease_expires_at <= now:
        release(view, job, now)
    return Accepted()


def task_due(view: UnitOfWork, command: TaskDue, now: int) -> Accepted:
    """Every clock of the task that is due, each by its rule; an end stops the rest."""
    task = view.tasks.get(command.task_id)
    if task is None:
        return Accepted()
    draft = TaskChange(view, task, now)
    for name in CLOCK_NAMES:
        at = getattr(draft.task.clocks, name)
        if at is not None and at <= now:
            draft.change(**{name: None})
            _RULES[name](draft)
    draft.keep()
    return Accepted()


def _queue(draft: TaskChange) -> None:
    if draft.task.status is not Status.QUEUED:
        return
    left = queue_left(draft)
    if left > 0 or not draft.view.has_room(draft.task):
        # It stood still while the key was taken: nobody is too late for what may not be claimed.
        draft.change(queue=draft.now + (left if left > 0 else STILL))
        return
    error = TaskError(
        stage="queue",
        code="expired",
        message=f"No launcher took it within {draft.task.timeouts.queue} s.",
    )
    end(draft, Status.EXPIRED, Ended(error=error))


def _launch_slow(draft: TaskChange) -> None:
    draft.raise_flag("launch_slow", "the launcher has not reported a started sandbox yet")


def _launch_end(draft: TaskChange) -> None:
    attempt = draft.attempt
    if attempt is None or draft.task.status is not Status.LAUNCHING:
        return
    job = draft.job("create", attempt.number)
    if job is not None:
        draft.put_job(revoked(job))
    error = TaskError(
        stage="launch",
        code="launch_timeout",
        message="The launch took too long.",
        retryable=True,
    )
    launch_failed(draft, attempt, error)


def _heartbeat(draft: TaskChange) -> None:
    silence = draft.task.timeouts.heartbeat
    first = not draft.task.has_flag("silent")
    draft.raise_flag("silent", f"no word for {silence} s")
    _inspect(draft)
    draft.change(heartbeat=draft.now + silence * 1000)
    if first and (draft.task.on_stall != "flag" or draft.task.pr_url is not None):
        draft.change(stall_end=draft.now + silence * 1000)


def _stall_end(draft: TaskChange) -> None:
    error = TaskError(
        stage=draft.task.stage or "agent",
        code="agent_silent",
        message=f"No word for {2 * draft.task.timeouts.heartbeat} s.",
        retryable=draft.task.on_stall == "retry",
    )
    fail(draft, error)


def _progress(draft: TaskChange) -> None:
    draft.raise_flag("no_progress", "it is alive, but reports nothing new")


def _run(draft: TaskChange) -> None:
    _inspect(draft)
    draft.change(run_end=draft.now + draft.policy.drain)


def _cancel(draft: TaskChange) -> None:
    attempt = draft.attempt
    if attempt is not None and not attempt.is_gone:
        destroy(draft, attempt, at=draft.now)


def _cancel_end(draft: TaskChange) -> None:
    end(draft, Status.CANCELLED, Ended())


def _drain(draft: TaskChange) -> None:
    if draft.task.status is Status.RUNNING:
        _inspect(draft)
        draft.change(drain=draft.now + draft.policy.drain_every)


def _cleanup(draft: TaskChange) -> None:
    draft.raise_flag("sandbox_unconfirmed", _unconfirmed(draft))
    if not draft.task.status.is_terminal:
        draft.change(cleanup=draft.now + UNCONFIRMED_AFTER)


def _unconfirmed(draft: TaskChange) -> str:
    """With what its launcher said last: the cause is nowhere else."""
    jobs = (draft.job("destroy", attempt.number) for attempt in draft.living())
    error = next((job.error for job in jobs if job and job.error), None)
    why = f": {error.code}: {error.message}" if error else ""
    return f"the destroy of its sandbox is not confirmed{why}"[:LONGEST_DETAIL]


def _inspect(draft: TaskChange) -> None:
    attempt: Attempt | None = draft.attempt
    if attempt is not None and not attempt.is_gone:
        draft.open_job("inspect", attempt, not_before=draft.now)


_RULES = {
    "queue": _queue,
    "launch_slow": _launch_slow,
    "launch_end": _launch_end,
    "heartbeat": _heartbeat,
    "stall_end": _stall_end,
    "progress": _progress,
    "run": _run,
    "run_end": time_out,
    "cancel": _cancel,
    "cancel_end": _cancel_end,
    "no_launcher": watch,
    "drain": _drain,
    "cleanup": _cleanup,
}
