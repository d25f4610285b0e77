"""The rules for due clocks, expired leases and outages."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import JobDue, Pulse, TaskDue
from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.launching.claim import release, revoked
from gateway.domain.launching.inspection import fail, time_out
from gateway.domain.launching.launch import launch_failed
from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.tasks.event import Ended
from gateway.domain.tasks.finish import UNCONFIRMED_AFTER, destroy, end
from gateway.domain.tasks.queue_clock import (
    RECHECK_EVERY,
    is_blocked,
    queue_left,
    watch_launchers,
)
from gateway.domain.tasks.task import CLOCK_NAMES, Status, Task, TaskError
from gateway.domain.tasks.task_change import TaskChange

LONGEST_DETAIL: Final = 500
"""Characters of a flag's detail that quotes a launcher."""


def lease_due(unit: UnitOfWork, command: JobDue, now: int) -> Accepted:
    """Offers a job whose lease was not renewed to another launcher of its realm."""
    job = unit.jobs.get(command.job_id)
    if job is None or not job.is_open or job.lease_expires_at is None:
        return Accepted()
    if job.lease_expires_at <= now:
        release(unit, job, now)
    return Accepted()


def task_due(unit: UnitOfWork, command: TaskDue, now: int) -> Accepted:
    """Applies the rule of each due clock of the task; an end stops the other clocks."""
    task = unit.tasks.get(command.task_id)
    if task is None:
        return Accepted()
    change = TaskChange(unit, task, now)
    for name in CLOCK_NAMES:
        at = getattr(change.task.clocks, name)
        if at is not None and at <= now:
            change.schedule(**{name: None})
            _RULES[name](change)
    change.save()
    return Accepted()


def _queue(change: TaskChange) -> None:
    if change.task.status is not Status.QUEUED:
        return
    left = queue_left(change)
    if left > 0 or is_blocked(change):
        # The task could not be claimed meanwhile.
        change.schedule(queue=change.now + (left if left > 0 else RECHECK_EVERY))
        return
    error = TaskError(
        stage="queue",
        code="expired",
        message=f"No launcher took it within {change.task.timeouts.queue} s.",
    )
    end(change, Status.EXPIRED, Ended(error=error))


def _launch_end(change: TaskChange) -> None:
    attempt = change.attempt
    if attempt is None or change.task.status is not Status.LAUNCHING:
        return
    if change.task.claimable_at is not None and is_blocked(change):
        # Its launcher was lost, and no other may go on with the launch while launching is paused.
        change.schedule(launch_end=change.now + change.policy.launch)
        return
    job = change.job("create", attempt.number)
    if job is not None:
        change.put_job(revoked(job))
    error = TaskError(
        stage="launch", code="launch_timeout", message="The launch took too long.", retryable=True
    )
    launch_failed(change, attempt, error)


def _heartbeat(change: TaskChange) -> None:
    silence = change.task.timeouts.heartbeat
    first = not change.task.has_flag("silent")
    change.raise_flag("silent", f"no event for {silence} s")
    _inspect(change)
    change.schedule(heartbeat=change.now + silence * 1000)
    if first and (change.task.on_stall != "flag" or change.task.pr_url is not None):
        change.schedule(stall_end=change.now + silence * 1000)


def _stall_end(change: TaskChange) -> None:
    error = TaskError(
        stage=change.task.stage or "agent",
        code="agent_silent",
        message=f"No event for {2 * change.task.timeouts.heartbeat} s.",
        retryable=change.task.on_stall == "retry",
    )
    fail(change, error)


def _run(change: TaskChange) -> None:
    _inspect(change)
    change.schedule(run_end=change.now + change.policy.drain)


def _cancel(change: TaskChange) -> None:
    attempt = change.attempt
    if attempt is not None and not attempt.is_gone:
        destroy(change, attempt, at=change.now)


def _drain(change: TaskChange) -> None:
    if change.task.status is Status.RUNNING:
        _inspect(change)
        change.schedule(drain=change.now + change.policy.drain_every)


def _cleanup(change: TaskChange) -> None:
    change.raise_flag("sandbox_unconfirmed", _unconfirmed(change))
    if not change.task.status.is_terminal:
        change.schedule(cleanup=change.now + UNCONFIRMED_AFTER)


def _unconfirmed(change: TaskChange) -> str:
    """Quotes the error of the destroy job: no event contains it."""
    jobs = (change.job("destroy", attempt.number) for attempt in change.living())
    error = next((job.error for job in jobs if job and job.error), None)
    why = f": {error.code}: {error.message}" if error else ""
    return f"the destroy of its sandbox is not confirmed{why}"[:LONGEST_DETAIL]


def _inspect(change: TaskChange) -> None:
    attempt = change.attempt
    if attempt is not None and not attempt.is_gone:
        change.open_job("inspect", attempt, not_before=change.now)


_RULES: Final[dict[str, Callable[[TaskChange], None]]] = {
    "queue": _queue,
    "launch_slow": lambda change: change.raise_flag(
        "launch_slow", "the launcher has not reported a started sandbox yet"
    ),
    "launch_end": _launch_end,
    "heartbeat": _heartbeat,
    "stall_end": _stall_end,
    "progress": lambda change: change.raise_flag(
        "no_progress", "it is alive, but reports nothing new"
    ),
    "run": _run,
    "run_end": time_out,
    "cancel": _cancel,
    "cancel_end": lambda change: end(change, Status.CANCELLED, Ended()),
    "no_launcher": watch_launchers,
    "drain": _drain,
    "cleanup": _cleanup,
}


def pulse(unit: UnitOfWork, command: Pulse, now: int) -> Accepted:
    """Records that the gateway can commit; after an outage it first moves leases and clocks."""
    last = unit.pulse.last
    if last is not None and command.at - last > OUTAGE:
        _move_leases(unit, now)
        _move_realms(unit, last, now)
        for task in list(unit.tasks.values()):
            _move_clocks(unit, task, last, now)
    unit.pulse.at = unit.pulse.last = command.at
    return Accepted()


def _move_leases(unit: UnitOfWork, now: int) -> None:
    least = now + unit.policy.lease
    for job in list(unit.jobs.values()):
        if job.is_open and job.lease_expires_at is not None and job.lease_expires_at < least:
            unit.jobs.put(replace(job, lease_expires_at=least))


def _move_realms(unit: UnitOfWork, last: int, now: int) -> None:
    """No launcher could call: a realm that was live when the outage began still is."""
    for realm in list(unit.realms.values()):
        if realm.is_live(last):
            unit.realms.put(replace(realm, called_at=now, due_at=now + LIVE_FOR))


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
