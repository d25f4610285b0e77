"""A dry run of due clocks: the rules are applied to a unit of work that is never written."""

from collections.abc import Sequence

from gateway.domain.decide import decide
from gateway.domain.kernel.commands import JobDue, Pulse, RealmDue, TaskDue
from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import RealmKey
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import CLOCK_NAMES, Frozen, Task

Due = TaskDue | JobDue | RealmDue


class DueClock(Frozen, frozen=True, kw_only=True):
    """An expired clock or lease; `since` in milliseconds."""

    what: str
    since: int


class PlannedChange(Frozen, frozen=True, kw_only=True):
    """The planned effects of one due command."""

    due: tuple[DueClock, ...]
    """Oldest first."""
    events: tuple[Event, ...]
    jobs: tuple[Job, ...]
    """Jobs that would be opened or changed."""
    before: Task | None = None
    """The task of the clock or lease."""
    after: Task | None = None
    job_id: str | None = None
    realm: RealmKey | None = None
    """The realm that may be missing or back."""


class DryRun(Frozen, frozen=True, kw_only=True):
    """All planned changes at one time."""

    planned: tuple[PlannedChange, ...]
    outage_since: int | None
    """Start of an outage, which would move the clocks first."""


def dry_run(unit: UnitOfWork, commands: Sequence[Due], now: int) -> DryRun:
    """Applies the commands in order, as in a batch; this changes the unit of work."""
    due = [_due_clocks(unit, command, now) for command in commands]
    last = unit.pulse.last
    is_outage = last is not None and now - last > OUTAGE
    if is_outage:
        decide(unit, Pulse(at=now), now)
    planned = [
        _run_one(unit, command, clocks, now) for command, clocks in zip(commands, due, strict=True)
    ]
    return DryRun(planned=tuple(planned), outage_since=last if is_outage else None)


def _due_clocks(unit: UnitOfWork, command: Due, now: int) -> tuple[DueClock, ...]:
    times: dict[str, int | None] = {}
    match command:
        case TaskDue() if task := unit.tasks.get(command.task_id):
            times = {name: getattr(task.clocks, name) for name in CLOCK_NAMES}
        case JobDue() if job := unit.jobs.get(command.job_id):
            times = {"lease": job.lease_expires_at}
        case RealmDue() if realm := unit.realms.get(command.key):
            times = {"realm": realm.due_at}
    due = (DueClock(what=name, since=at) for name, at in times.items() if at is not None)
    return tuple(sorted((each for each in due if each.since <= now), key=lambda each: each.since))


def _run_one(unit: UnitOfWork, command: Due, due: tuple[DueClock, ...], now: int) -> PlannedChange:
    task_id = _task_id(unit, command)
    before, jobs, emitted = unit.tasks.get(task_id), dict(unit.jobs), len(unit.events.new)
    decide(unit, command, now)
    return PlannedChange(
        due=due,
        events=tuple(unit.events.new[emitted:]),
        jobs=tuple(job for name, job in unit.jobs.items() if jobs.get(name) != job),
        before=before,
        after=unit.tasks.get(task_id),
        job_id=command.job_id if isinstance(command, JobDue) else None,
        realm=command.key if isinstance(command, RealmDue) else None,
    )


def _task_id(unit: UnitOfWork, command: Due) -> str:
    if isinstance(command, TaskDue):
        return command.task_id
    job = unit.jobs.get(command.job_id) if isinstance(command, JobDue) else None
    return job.task_id or "" if job else ""
