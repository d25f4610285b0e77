"""Retention: a day for `env` and stored responses, longer for ended tasks."""

from typing import Final

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import Prune
from gateway.domain.kernel.unit_of_work import Pruning, UnitOfWork
from gateway.domain.tasks.task import Task

KEPT: Final = 24 * 3_600_000
"""Retention of stored responses, silent launchers and the `env` of ended tasks (milliseconds)."""

KEPT_LONG: Final = 30 * KEPT
"""Retention of finished replays and bulk actions, and of freed concurrency keys (milliseconds)."""


def prune(unit: UnitOfWork, command: Prune, _now: int) -> Accepted:
    """Prunes what still may be pruned: a retry may have come after the pruner's read."""
    before = command.at - KEPT
    erased = [name for name in command.env_of if _has_ended(unit.tasks.get(name), before)]
    deleted = [name for name in command.tasks if _may_be_deleted(unit, name, command.ended_before)]
    pruning = Pruning(
        at=command.at,
        before=before,
        long_before=command.at - KEPT_LONG,
        ended_before=command.ended_before,
        erased=erased,
        deleted=deleted,
        own_events=list(command.own_events),
    )
    unit.retention.append(pruning)
    for name in deleted:
        del unit.tasks[name]
    return Accepted()


def _may_be_deleted(unit: UnitOfWork, name: str, before: int) -> bool:
    """False while a sandbox may be alive, a delivery is undelivered or a job is open."""
    if not _has_ended(unit.tasks.get(name), before):
        return False
    has_undelivered = name in unit.deliveries.undelivered or name in unit.tasks.changed
    has_sandbox = any(key[0] == name and not it.is_gone for key, it in unit.attempts.items())
    has_work = any(job.task_id == name and job.is_open for job in unit.jobs.values())
    return not (has_undelivered or has_sandbox or has_work)


def _has_ended(task: Task | None, before: int) -> bool:
    if task is None or task.finished_at is None:
        return False
    return task.status.is_terminal and task.finished_at <= before
