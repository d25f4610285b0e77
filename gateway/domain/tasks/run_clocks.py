"""The clocks of a running attempt: started with it, and pushed back by each event of its agent."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.tasks.task_change import TaskChange

_PROGRESS: Final = frozenset({"task.progress", "task.log", "task.usage"})


def start_clocks(change: TaskChange) -> None:
    """Starts the attempt's clocks; call it after the event that made the task running."""
    task, now = change.task, change.now
    attempt = change.attempt
    if attempt is not None:
        change.put_attempt(replace(attempt, started_at=now))
    change.schedule(
        queue=None,
        no_launcher=None,
        launch_slow=None,
        launch_end=None,
        heartbeat=now + task.timeouts.heartbeat * 1000,
        progress=now + change.policy.progress,
        run=now + task.timeouts.run * 1000,
        drain=now + change.policy.drain_every if change.policy.spool_only else None,
    )
    change.lower_flag("launch_slow", "no_launcher", "provider_down")


def record_activity(change: TaskChange, kind: str, *, spooled: bool) -> None:
    """Pushes clocks back and clears flags after an applied event of the agent."""
    now = change.now
    heartbeat = now + change.task.timeouts.heartbeat * 1000
    if kind in _PROGRESS:
        change.schedule(heartbeat=heartbeat, stall_end=None, progress=now + change.policy.progress)
        change.lower_flag("silent", "no_progress")
    else:
        change.schedule(heartbeat=heartbeat, stall_end=None)
        change.lower_flag("silent")
    if not spooled:
        change.lower_flag("unreachable")
    elif not change.policy.spool_only:
        change.raise_flag("unreachable", "its events are read from its spool")
