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


def open_workspace(view: UnitOfWork, command: OpenWorkspace, now: int) -> TaskReply:
    """A new task, the one that stands, or the next attempt of one that ended badly."""
    task = _opened(view, command, now)
    draft = TaskChange(view, task, now)
    draft.change(callback=command.answered_by + WRITING)
    return TaskReply(task=draft.keep())


def answer_workspace(view: UnitOfWork, command: AnswerWorkspace, now: int) -> Accepted:
    """Final callbacks go out once the frontend has had the time to write its answer down."""
    task = view.tasks.get(command.task_id)
    if task is not None and task.clocks.callback is not None:
        draft = TaskChange(view, task, now)
        draft.change(callback=now + WRITING)
        draft.keep()
        _turn_callbacks(view, task, now + WRITING)
    return Accepted()


def _opened(view: UnitOfWork, command: OpenWorkspace, now: int) -> Task:
    wanted = command.workspace
    if wanted is None:
        return create(view, command.creation, now).task
    known = view.workspaces.get(wanted.key)
    task = view.tasks.get(known.task_id) if known else None
    if known is None or task is None:
        view.put_workspace(wanted)
        return create(view, command.creation, now).task
    if not known.is_asked_alike(wanted):
        raise ApiError(
            "idempotency_mismatch",
            "This TASK_ID came before with another repoUrl or branch.",
            hint="Use a new TASK_ID for other work.",
        )
    if command.renewal is None or not task.status.is_terminal or task.status is Status.COMPLETED:
        return task
    view.renewed_env.append(TaskSecrets(task_id=task.id, env=command.renewal))
    view.erased.discard(task.id)
    _turn_callbacks(view, task, None)
    not_before = (task.finished_at or now) + SETTLING
    again = RetryTask(task_id=task.id, project=task.project, not_before=not_before)
    return retry(view, again, now).task


def _turn_callbacks(view: UnitOfWork, task: Task, at: int | None) -> None:
    if task.endpoint_id is not None:
        turn = CallbackTurn(endpoint_id=task.endpoint_id, task_id=task.id, at=at)
        view.outbox.callbacks.append(turn)
