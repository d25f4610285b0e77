"""What begins when an attempt runs, and what each of its words pushes back."""

from msgspec.structs import replace

from gateway.domain.tasks.task import Status
from gateway.domain.tasks.task_change import TaskChange

_PROGRESS = frozenset({"task.progress", "task.log", "task.usage"})


def begin(draft: TaskChange) -> None:
    """The attempt's clocks start; call it after the event that made the task running."""
    task, now = draft.task, draft.now
    attempt = draft.attempt
    if attempt is not None:
        draft.put_attempt(replace(attempt, started_at=now))
    draft.change(
        queue=None,
        no_launcher=None,
        launch_slow=None,
        launch_end=None,
        heartbeat=now + task.timeouts.heartbeat * 1000,
        progress=now + draft.policy.progress,
        run=now + task.timeouts.run * 1000,
        drain=now + draft.policy.drain_every if draft.policy.spool_only else None,
    )
    draft.lower_flag("launch_slow", "no_launcher")


def is_waiting(status: Status) -> bool:
    """Whether the next word or the launcher's `done` makes the task running."""
    return status in {Status.QUEUED, Status.LAUNCHING}


def heard(draft: TaskChange, kind: str, *, spooled: bool) -> None:
    """A word of the agent was applied: it is alive, and perhaps it gets on."""
    now = draft.now
    heartbeat = now + draft.task.timeouts.heartbeat * 1000
    if kind in _PROGRESS:
        draft.change(heartbeat=heartbeat, stall_end=None, progress=now + draft.policy.progress)
        draft.lower_flag("silent", "no_progress")
    else:
        draft.change(heartbeat=heartbeat, stall_end=None)
        draft.lower_flag("silent")
    if not spooled:
        draft.lower_flag("unreachable")
    elif not draft.policy.spool_only:
        draft.raise_flag("unreachable", "its words are read from its spool")
