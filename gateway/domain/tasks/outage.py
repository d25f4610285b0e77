"""The pulse, and what a gap between two of them forgives: nobody is judged while we were away."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import Pulse
from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.tasks.task import CLOCK_NAMES, Task
from gateway.domain.tasks.task_change import TaskChange


def pulse(unit: UnitOfWork, command: Pulse, now: int) -> Accepted:
    """The reconciler commits again; after an outage leases and clocks are moved first."""
    last = unit.last_pulse
    if last is not None and command.at - last > OUTAGE:
        _move_leases(unit, now)
        _move_realms(unit, last, now)
        for task in list(unit.tasks.values()):
            _move_clocks(unit, task, last, now)
    unit.pulse_at = unit.last_pulse = command.at
    return Accepted()


def _move_leases(unit: UnitOfWork, now: int) -> None:
    least = now + unit.policy.lease
    for job in list(unit.jobs.values()):
        if job.is_open and job.lease_expires_at is not None and job.lease_expires_at < least:
            unit.put_job(replace(job, lease_expires_at=least))


def _move_realms(unit: UnitOfWork, last: int, now: int) -> None:
    """Nobody could call us: who was live when the gap began still is."""
    for realm in list(unit.realms.values()):
        if realm.is_live(last):
            unit.put_realm(replace(realm, called_at=now, due_at=now + LIVE_FOR))


def _move_clocks(unit: UnitOfWork, task: Task, last: int, now: int) -> None:
    later = now + min(now - last, task.timeouts.heartbeat * 1000)
    missed = {
        name: later
        for name in CLOCK_NAMES
        if (at := getattr(task.clocks, name)) is not None and last < at <= now
    }
    if missed:
        change = TaskChange(unit, task, now)
        change.schedule(**missed)
        change.save()
