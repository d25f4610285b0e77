"""The pulse, and what a gap between two of them forgives: nobody is judged while we were away."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import Pulse
from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.tasks.task import CLOCK_NAMES, Task
from gateway.domain.tasks.task_change import TaskChange


def pulse(view: UnitOfWork, command: Pulse, now: int) -> Accepted:
    """The reconciler commits again; after an outage leases and clocks are moved first."""
    last = view.last_pulse
    if last is not None and command.at - last > OUTAGE:
        _move_leases(view, now)
        _move_realms(view, last, now)
        for task in list(view.tasks.values()):
            _move_clocks(view, task, last, now)
    view.pulse_at = view.last_pulse = command.at
    return Accepted()


def _move_leases(view: UnitOfWork, now: int) -> None:
    least = now + view.policy.lease
    for job in list(view.jobs.values()):
        if job.is_open and job.lease_expires_at is not None and job.lease_expires_at < least:
            view.put_job(replace(job, lease_expires_at=least))


def _move_realms(view: UnitOfWork, last: int, now: int) -> None:
    """Nobody could call us: who was live when the gap began still is."""
    for realm in list(view.realms.values()):
        if realm.is_live(last):
            view.put_realm(replace(realm, called_at=now, due_at=now + LIVE_FOR))


def _move_clocks(view: UnitOfWork, task: Task, last: int, now: int) -> None:
    later = now + min(now - last, task.timeouts.heartbeat * 1000)
    missed = {
        name: later
        for name in CLOCK_NAMES
        if (at := getattr(task.clocks, name)) is not None and last < at <= now
    }
    if missed:
        draft = TaskChange(view, task, now)
        draft.change(**missed)
        draft.keep()
