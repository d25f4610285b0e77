"""`POST /workspace`: the same TASK_ID is the same workspace, after a bad end its next attempt."""

from gateway.domain.answers import TaskReply
from gateway.domain.commands import OpenWorkspace, RetryTask
from gateway.domain.decide.request import create, retry
from gateway.domain.errors import Refused
from gateway.domain.task import Status, Task
from gateway.domain.view import TaskSecrets, View

SETTLING = 10_000
"""So long after an end the same request is a repetition and not a new try (milliseconds)."""


def open_workspace(view: View, command: OpenWorkspace, now: int) -> TaskReply:
    """A new task, the one that stands, or the next attempt of one that ended badly."""
    wanted = command.workspace
    if wanted is None:
        return create(view, command.creation, now)
    known = view.workspaces.get(wanted.key)
    task = view.tasks.get(known.task_id) if known else None
    if known is None or task is None:
        view.put_workspace(wanted)
        return create(view, command.creation, now)
    if not known.is_asked_alike(wanted):
        raise Refused(
            "idempotency_mismatch",
            "This TASK_ID came before with another repoUrl or branch.",
            hint="Use a new TASK_ID for other work.",
        )
    if not _wants_another_try(task, now):
        return TaskReply(task=task, replayed=True)
    if command.renewal is None:
        return TaskReply(task=task, replayed=True)
    view.renewed_env.append(TaskSecrets(task_id=task.id, env=command.renewal))
    view.erased.discard(task.id)
    return retry(view, RetryTask(task_id=task.id, project=task.project), now)


def _wants_another_try(task: Task, now: int) -> bool:
    if not task.status.is_terminal or task.status is Status.COMPLETED:
        return False
    return now - (task.finished_at or now) >= SETTLING
