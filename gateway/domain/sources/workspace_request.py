"""`POST /workspace`: one task per TASK_ID; after a failure the request opens its next attempt."""

from typing import Final

from gateway.domain.deliveries.outbox import CallbackTurn
from gateway.domain.kernel.answers import Accepted, TaskReply
from gateway.domain.kernel.commands import AnswerWorkspace, OpenWorkspace, RetryTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import TaskSecrets, UnitOfWork
from gateway.domain.tasks.purge import check_kept
from gateway.domain.tasks.requests import create, retry
from gateway.domain.tasks.task import Status, Task
from gateway.domain.tasks.task_change import TaskChange

SETTLING: Final = 10_000
"""Pause between an end and the claim of the next attempt (milliseconds)."""
WRITING: Final = 5_000
"""Time after an answer in which the frontend stores that its task runs (milliseconds): its four
writes of 150 ms overwrite any end that it receives meanwhile."""


def open_workspace(unit: UnitOfWork, command: OpenWorkspace, now: int) -> TaskReply:
    """Creates a task, finds the existing one, or opens its next attempt after a failure."""
    task = _opened(unit, command, now)
    change = TaskChange(unit, task, now)
    change.schedule(callback=command.answered_by + WRITING)
    return TaskReply(task=change.save())


def answer_workspace(unit: UnitOfWork, command: AnswerWorkspace, now: int) -> Accepted:
    """Releases final callbacks once the frontend has had time to store its answer."""
    task = unit.tasks.get(command.task_id)
    if task is not None and task.clocks.callback is not None:
        change = TaskChange(unit, task, now)
        change.schedule(callback=now + WRITING)
        change.save()
        _reschedule_callbacks(unit, task, now + WRITING)
    return Accepted()


def _opened(unit: UnitOfWork, command: OpenWorkspace, now: int) -> Task:
    wanted = command.workspace
    if wanted is None:
        return create(unit, command.creation, now).task
    known = unit.workspaces.get(wanted.key)
    task = unit.tasks.get(known.task_id) if known else None
    if known is None or task is None:
        unit.switches.check_intake(wanted.project, now)
        unit.workspaces.put(wanted)
        return create(unit, command.creation, now).task
    if not known.is_same_request(wanted):
        raise ApiError(
            "idempotency_mismatch",
            "This TASK_ID came before with another repoUrl or branch.",
            hint="Use a new TASK_ID for other work.",
        )
    if command.renewal is None or not task.status.is_terminal or task.status is Status.COMPLETED:
        return task
    check_kept(task)
    unit.switches.check_intake(task.project, now)
    unit.secrets.renewed.append(TaskSecrets(task_id=task.id, env=command.renewal))
    unit.secrets.erased.discard(task.id)
    _reschedule_callbacks(unit, task, None)
    not_before = (task.finished_at or now) + SETTLING
    again = RetryTask(task_id=task.id, project=task.project, not_before=not_before)
    return retry(unit, again, now).task


def _reschedule_callbacks(unit: UnitOfWork, task: Task, at: int | None) -> None:
    if task.endpoint_id is not None:
        turn = CallbackTurn(endpoint_id=task.endpoint_id, task_id=task.id, at=at)
        unit.outbox.callbacks.append(turn)
