"""What is kept for a time only: the `env` and first answers for a day, ended tasks for longer."""

from typing import Final

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import Prune
from gateway.domain.kernel.unit_of_work import Pruning, UnitOfWork
from gateway.domain.tasks.task import Task

KEPT: Final = 24 * 3_600_000
"""How long first answers, launchers that no longer call, and the `env` of an ended task are kept
(milliseconds)."""

KEPT_LONG: Final = 30 * KEPT
"""How long somebody may look how a replay went, or a task may have waited for its concurrency key
(milliseconds)."""


def prune(unit: UnitOfWork, command: Prune, _now: int) -> Accepted:
    """Looks again at what the pruner proposes: a retry may have come in between."""
    before = command.at - KEPT
    erased = [name for name in command.env_of if _has_ended(unit.tasks.get(name), before)]
    deleted = [name for name in command.tasks if _may_be_deleted(unit, name, command.ended_before)]
    unit.pruning = Pruning(
        at=command.at,
        before=before,
        long_before=command.at - KEPT_LONG,
        ended_before=command.ended_before,
        erased=erased,
        deleted=deleted,
    )
    for name in deleted:
        del unit.tasks[name]
    return Accepted()


def _may_be_deleted(unit: UnitOfWork, name: str, before: int) -> bool:
    """Whole tasks only, and none of which anything is still to come: a sandbox that has to be
    destroyed, a delivery that is owed, a report of a launcher."""
    if not _has_ended(unit.tasks.get(name), before):
        return False
    has_undelivered = name in unit.owing or name in unit.changed_tasks
    has_sandbox = any(key[0] == name and not it.is_gone for key, it in unit.attempts.items())
    has_work = any(job.task_id == name and job.is_open for job in unit.jobs.values())
    return not (has_undelivered or has_sandbox or has_work)


def _has_ended(task: Task | None, before: int) -> bool:
    return (
        task is not None
        and task.status.is_terminal
        and task.finished_at is not None
        and task.finished_at <= before
    )
