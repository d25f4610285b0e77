"""Requests about a task: create, cancel, retry, release or destroy its sandbox."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.answers import TaskReply
from gateway.domain.kernel.commands import (
    CancelTask,
    Cause,
    CreateTask,
    DestroySandboxes,
    ReleaseSandbox,
    RetryTask,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.unit_of_work import TaskSecrets, UnitOfWork
from gateway.domain.tasks.continuation import check_ended, share_key
from gateway.domain.tasks.event import CancelRequested, Ended, Retried
from gateway.domain.tasks.finish import confirm_gone, destroy, end, open_next
from gateway.domain.tasks.purge import check_kept
from gateway.domain.tasks.queue_clock import watch_launchers
from gateway.domain.tasks.task import Status, Task
from gateway.domain.tasks.task_change import TaskChange

CANCEL_GRACE: Final = 60_000
"""Time after `cancelSeconds` until a cancel ends, confirmed or not (milliseconds)."""


def create(unit: UnitOfWork, command: CreateTask, now: int) -> TaskReply:
    """Stores the task; its create job may be claimed from `notBefore` on."""
    first = _stored_response(unit, command.idempotency)
    if first is not None:
        return first
    spec = command.spec
    check_ended(unit, spec)
    unit.switches.check_intake(spec.project, now)
    share_key(unit, spec)
    claimable_at = max(now, spec.not_before or now)
    change = TaskChange.opened(unit, command.task_id, spec, now, claimable_at=claimable_at)
    watch_launchers(change)
    if command.callback is not None:
        unit.open_endpoint(command.callback, spec.project, now)
    if command.env is not None or command.callback is not None:
        url = command.callback.url if command.callback else None
        unit.secrets.new.append(TaskSecrets(task_id=command.task_id, env=command.env, callback=url))
    if spec.metadata:
        unit.metadata.append((command.task_id, spec.metadata))
    unit.audit.emit("task.created", command.task_id, spec.project)
    return _answer(unit, command.idempotency, change.save(), now)


def cancel(unit: UnitOfWork, command: CancelTask, now: int) -> TaskReply:
    """Cancels a task without a sandbox at once; else asks the agent to stop."""
    task = _task_of(unit, command)
    first = _stored_response(unit, command.idempotency)
    if first is not None:
        return first
    if task.status.is_terminal:
        raise ApiError("already_finished", f"The task has ended: {task.status}.")
    change = TaskChange(unit, task, now)
    if task.cancel_requested_at is None:
        _request_cancel(change, command)
        _audit(unit, "task.cancelled", task, command.cause)
    return _answer(unit, command.idempotency, change.save(), now)


def retry(unit: UnitOfWork, command: RetryTask, now: int) -> TaskReply:
    """Opens the next attempt of an ended task, also past `maxAttempts`."""
    task = _task_of(unit, command)
    first = _stored_response(unit, command.idempotency)
    if first is not None:
        return first
    if not task.status.is_terminal:
        raise ApiError(
            "not_finished", f"The task is {task.status}.", hint="Cancel it first, or wait."
        )
    check_kept(task)
    if task.id in unit.secrets.erased:
        raise ApiError(
            "env_expired",
            "The task's env was erased 24 h after its end.",
            hint="Create a new task with the env it needs.",
        )
    unit.switches.check_intake(task.project, now)
    change = TaskChange(unit, task, now)
    retried = replace(Retried(attempt=task.attempt + 1), **_cause_fields(command))
    change.emit("task.retried", retried, source="api")
    open_next(change, not_before=command.not_before)
    _audit(unit, "task.retried", task, command.cause, attempt=task.attempt + 1)
    return _answer(unit, command.idempotency, change.save(), now)


def release_sandbox(unit: UnitOfWork, command: ReleaseSandbox, now: int) -> TaskReply:
    """Records that ops confirm an ended attempt's sandbox as gone, and releases what waited."""
    task = _task_of(unit, command)
    if command.attempt == task.attempt and not task.status.is_terminal:
        raise ApiError(
            "not_finished",
            f"Attempt {command.attempt} is {task.status}.",
            hint="Cancel the task first: only the sandbox of an ended attempt can be released.",
        )
    change = TaskChange(unit, task, now)
    attempt = change.attempt_of(command.attempt)
    if attempt is None:
        raise ApiError("not_found", "There is no such attempt.")
    if attempt.is_gone:
        return TaskReply(task=task)
    job = change.job("destroy", attempt.number)
    if job is not None:
        change.put_job(replace(job, closed_at=now, leased_by=None, lease_expires_at=None))
    confirm_gone(change, attempt, kind="sandbox.released", state="gone", reason=command.reason)
    unit.audit.emit(
        "sandbox.released",
        task.id,
        task.project,
        attempt=attempt.number,
        reason=command.reason,
    )
    return TaskReply(task=change.save())


def destroy_sandboxes(unit: UnitOfWork, command: DestroySandboxes, now: int) -> TaskReply:
    """Destroys the sandboxes of an ended task, also one that is kept; none is left: done."""
    task = _task_of(unit, command)
    if not task.status.is_terminal:
        raise ApiError(
            "not_finished",
            f"The task is {task.status}.",
            hint="Cancel it: its sandbox is destroyed at its end.",
        )
    change = TaskChange(unit, task, now)
    for attempt in change.living():
        destroy(change, attempt, at=now, reason=command.cause.reason)
        _audit(unit, "sandbox.destroyed", task, command.cause, attempt=attempt.number)
    return TaskReply(task=change.save())


def _request_cancel(change: TaskChange, command: CancelTask) -> None:
    task, attempt, now = change.task, change.attempt, change.now
    tried = attempt is not None and attempt.was_tried
    fields = _cause_fields(command) or {"by": None if command.project else "ops"}
    change.emit("task.cancel_requested", CancelRequested(**fields), source="api")
    if task.status is Status.QUEUED and not tried:
        end(change, Status.CANCELLED, Ended())
        return
    due = now + change.policy.cancel
    change.schedule(claimable_at=None, queue=None, no_launcher=None)
    change.schedule(cancel=due, cancel_end=due + CANCEL_GRACE)
    if attempt is not None and tried and attempt.first_event_at is None:
        destroy(change, attempt, at=now)
        change.schedule(cancel=None)


def _cause_fields(command: CancelTask) -> dict[str, str | None]:
    """The fields of an event that say who asked for it, and why."""
    cause = command.cause
    if cause is None:
        return {}
    return {"by": command.actor, "reason": cause.reason, "bulk_id": cause.bulk_id}


def _audit(
    unit: UnitOfWork, action: str, task: Task, cause: Cause | None, *, attempt: int | None = None
) -> None:
    reason, bulk_id = (cause.reason, cause.bulk_id) if cause else (None, None)
    unit.audit.emit(action, task.id, task.project, attempt=attempt, reason=reason, bulk_id=bulk_id)


def _task_of(unit: UnitOfWork, command: CancelTask | DestroySandboxes | ReleaseSandbox) -> Task:
    task = unit.tasks.get(command.task_id)
    if task is None or command.project not in {None, task.project}:
        raise ApiError("not_found", "There is no such task.")
    return task


def _stored_response(unit: UnitOfWork, idempotency: Idempotency | None) -> TaskReply | None:
    first = unit.idempotency.first(idempotency)
    return TaskReply(task=first, replayed=True) if isinstance(first, Task) else None


def _answer(unit: UnitOfWork, idempotency: Idempotency | None, task: Task, now: int) -> TaskReply:
    unit.idempotency.store(idempotency, task, now)
    return TaskReply(task=task)
