"""`POST /workspace`: the same TASK_ID is the same workspace, after a bad end its next attempt."""

from typing import Final

from gateway.domain.deliveries.outbox import CallbackTurn
from gateway.domain.kernel.answers import Accepted, TaskReply
from gateway.domain.kernel.commands import AnswerWorkspace, OpenWorkspace, RetryTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import TaskSecrets, UnitOfWork
from gateway.domain.tasks.requests import create, retry
from gateway.domain.tasks.task import Status, Task
from gateway.domain.tasks.task_change import TaskChange

SETTLING: Final = 10_000
"""Milliseconds after an end before a launcher may claim the next attempt."""
WRITING: Final = 5_000
"""Milliseconds after an answer in which the frontend writes down that its task runs: it makes four
writes of 150 ms, and whatever end it is told of before they are over is overwritten by them."""


def open_workspace(unit: UnitOfWork, command: OpenWorkspace, now: int) -> TaskReply:
    """A new task, the one that stands, or the next attempt of one that ended badly."""
    task = _opened(unit, command, now)
    change = TaskChange(unit, task, now)
    change.schedule(callback=command.answered_by + WRITING)
    return TaskReply(task=change.save())


def answer_workspace(unit: UnitOfWork, command: AnswerWorkspace, now: int) -> Accepted:
    """Final callbacks go out once the frontend has had the time to write its answer down."""
    task = unit.tasks.get(command.task_id)
    if task is not None and task.clocks.callback is not None:
        change = TaskChange(unit, task, now)
        change.schedule(callback=now + WRITING)
        change.save()
        _turn_callbacks(unit, task, now + WRITING)
    return Accepted()


def _opened(unit: UnitOfWork, command: OpenWorkspace, now: int) -> Task:
    wanted = command.workspace
    if wanted is None:
        return create(unit, command.creation, now).task
    known = unit.workspaces.get(wanted.key)
    task = unit.tasks.get(known.task_id) if known else None
    if known is None or task is None:
        unit.put_workspace(wanted)
        return create(unit, command.creation, now).task
    if not known.is_same_request(wanted):
        raise ApiError(
            "idempotency_mismatch",
            "This TASK_ID came before with another repoUrl or branch.",
            hint="Use a new TASK_ID for other work.",
        )
    if command.renewal is None or not task.status.is_terminal or task.status is Status.COMPLETED:
        return task
    unit.renewed_env.append(TaskSecrets(task_id=task.id, env=command.renewal))
    unit.erased.discard(task.id)
    _turn_callbacks(unit, task, None)
    not_before = (task.finished_at or now) + SETTLING
    again = RetryTask(task_id=task.id, project=task.project, not_before=not_before)
    return retry(unit, again, now).task


def _turn_callbacks(unit: UnitOfWork, task: Task, at: int | None) -> None:
    if task.endpoint_id is not None:
        turn = CallbackTurn(endpoint_id=task.endpoint_id, task_id=task.id, at=at)
        unit.outbox.callbacks.append(turn)
