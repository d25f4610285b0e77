"""Sweeps: compares the sandboxes found in a realm with the attempts, and destroys orphans."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import FinishJob, SweepNow
from gateway.domain.kernel.ids import orphan_id, sweep_id
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.inspection import offered_again
from gateway.domain.launching.job import INSTANCE, Job, OrphanSandbox, owner
from gateway.domain.launching.realm import MAX_LISTED, Outcome, RealmKey, Sweep, Unwanted, serves
from gateway.domain.launching.sandbox_identity import wrong_name
from gateway.domain.tasks.finish import destroy
from gateway.domain.tasks.task import Attempt, Task, TaskError
from gateway.domain.tasks.task_change import TaskChange
from gateway.wire.launcher import SweptSandbox
from gateway.wire.times import milliseconds, parse_rfc3339

SWEEP_EVERY: Final = 300_000
"""Pause between two sweeps of a realm (milliseconds)."""
NOT_THERE: Final = frozenset({"gone", "destroyed"})


def sweep_job(key: RealmKey, now: int) -> Job:
    """The only sweep job of a realm: it is offered again after each report."""
    provider, realm, project = key
    return Job(
        id=sweep_id(*key),
        kind="sweep",
        provider=provider,
        realm=realm,
        project=project,
        not_before=now + SWEEP_EVERY,
    )


def _apply_sweep(unit: UnitOfWork, sweep: Job, found: Iterable[SweptSandbox], now: int) -> Sweep:
    """Opens destroy jobs for our unwanted sandboxes; a project's launchers report only its own."""
    there = [
        sandbox
        for sandbox in found
        if sandbox.labels.get(INSTANCE) == unit.policy.instance_id
        and sandbox.state not in NOT_THERE
        and _is_in_scope(unit, sweep, sandbox)
    ]
    unwanted = [
        _unwanted(sandbox, *outcome)
        for sandbox in there
        if (outcome := _outcome(unit, sweep, sandbox, now)) is not None
    ]
    return Sweep(
        realm=(sweep.provider or "", sweep.realm or "", sweep.project),
        at=now,
        seen=len(there),
        unwanted=len(unwanted),
        sandboxes=tuple(unwanted[:MAX_LISTED]),
    )


def _is_in_scope(unit: UnitOfWork, sweep: Job, found: SweptSandbox) -> bool:
    """True for a sandbox of the sweep's project, or of no known task."""
    task = unit.tasks.get(owner(found.labels)[0])
    return task is None or serves(sweep.project, task.project)


def _outcome(
    unit: UnitOfWork, sweep: Job, found: SweptSandbox, now: int
) -> tuple[Outcome, str] | None:
    """The outcome for an unwanted sandbox and its reason; None: it is wanted."""
    task_id, number = owner(found.labels)
    task = unit.tasks.get(task_id)
    attempt = unit.attempts.get((task.id, number)) if task else None
    if task is None or (attempt is None and number != task.attempt):
        why = "there is no such task" if task is None else f"the task has no attempt {number}"
        return _orphan(unit, sweep, found, now, since=_made_at(found)), why
    is_over = number != task.attempt or task.status.is_terminal
    is_there = attempt is None or attempt.realm in {None, sweep.realm}
    if not is_over and is_there:
        return None
    if attempt is not None and is_there and not attempt.is_gone:
        _ensure_destroy(unit, task, attempt, now)
        return "ending", f"attempt {number} is over"
    why = f"attempt {number} is over" if is_there else f"attempt {number} is in another realm"
    since = _settled_at(attempt) if attempt is not None else 0
    return _orphan(unit, sweep, found, now, since=since), why


def _orphan(unit: UnitOfWork, sweep: Job, found: SweptSandbox, now: int, *, since: int) -> Outcome:
    """Destroys an orphan, once no create can succeed and no list can be stale."""
    policy = unit.policy
    if now - since < policy.create_window + policy.create_limit + policy.gone_margin:
        return "waiting"
    _destroy_orphan(unit, sweep, found, now)
    return "destroying"


def _unwanted(found: SweptSandbox, outcome: Outcome, reason: str) -> Unwanted:
    task_id, number = owner(found.labels)
    return Unwanted(
        id=found.id,
        name=found.name,
        state=found.state,
        task_id=task_id or None,
        attempt=number or None,
        created_at=_made_at(found) or None,
        outcome=outcome,
        reason=reason,
    )


def _ensure_destroy(unit: UnitOfWork, task: Task, attempt: Attempt, now: int) -> None:
    change = TaskChange(unit, task, now)
    if change.job("destroy", attempt.number) is None:
        destroy(change, attempt, at=now)
        change.save()


def _destroy_orphan(unit: UnitOfWork, sweep: Job, found: SweptSandbox, now: int) -> None:
    name = orphan_id(sweep.id, found.name, found.id)
    known = unit.jobs.get(name)
    if known is not None and known.is_open:
        return
    task = unit.tasks.get(owner(found.labels)[0])
    orphan = OrphanSandbox(name=found.name, id=found.id, labels=found.labels)
    opened = Job(
        id=name,
        kind="destroy",
        provider=sweep.provider,
        realm=sweep.realm,
        project=task.project if task else sweep.project,
        not_before=now,
        orphan=orphan,
        # A closed job may be reopened under its id: no old token may be valid again.
        lease=known.lease + 1 if known else 0,
    )
    unit.jobs.put(opened)


def _settled_at(attempt: Attempt) -> int:
    times = (attempt.opened_at, attempt.tried_at, attempt.ended_at, attempt.gone_at)
    return max(filter(None, times))


def _made_at(found: SweptSandbox) -> int:
    """Creation time by its provider (milliseconds); 0 if the provider gives none."""
    time = parse_rfc3339(found.created_at or "")
    return 0 if time is None else milliseconds(time)


def _swept_again(sweep: Job, now: int) -> Job:
    return replace(sweep, not_before=now + SWEEP_EVERY)


def sweep_now(unit: UnitOfWork, command: SweepNow, now: int) -> Accepted:
    """Offers each realm's sweep at once, unless it is being done."""
    for key in command.realms:
        job = unit.jobs.get(sweep_id(*key))
        if job is not None and job.is_free and job.not_before > now:
            unit.jobs.put(replace(job, not_before=now))
    return Accepted()


def orphan_finished(
    unit: UnitOfWork, job: Job, report: FinishJob, now: int, error: TaskError | None = None
) -> Accepted:
    """Applies a sweep and offers the next one; offers the destroy of an orphan until it is gone."""
    answered = answered_by(job, error)
    if job.orphan is not None:
        unit.jobs.put(_orphan_after(answered, job.orphan, report, now))
    else:
        if error is None:
            unit.sweeps.append(_apply_sweep(unit, job, report.sandboxes, now))
        unit.jobs.put(_swept_again(answered, now))
    return Accepted()


def answered_by(job: Job, error: TaskError | None = None) -> Job:
    """The job after its holder's report; the same report again gets the same answer."""
    return replace(
        job, answered_lease=job.lease, leased_by=None, lease_expires_at=None, error=error
    )


def _orphan_after(job: Job, orphan: OrphanSandbox, report: FinishJob, now: int) -> Job:
    if report.sandbox is not None and report.sandbox.name != orphan.name:
        raise wrong_name(orphan.name)
    if report.sandbox is not None and report.sandbox.state in NOT_THERE:
        return replace(job, closed_at=now)
    if report.spool_offset is not None:
        job = replace(job, orphan=replace(orphan, spool_offset=report.spool_offset))
    return offered_again(job, report, now)
