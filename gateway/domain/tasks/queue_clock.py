"""A task that waits for a launcher: who could take it, how long it has waited, and what is said."""

from typing import Final

from gateway.domain.launching.realm import LIVE_FOR, Place, serves
from gateway.domain.tasks.concurrency_hold import standstill
from gateway.domain.tasks.run_clocks import is_waiting
from gateway.domain.tasks.task import Attempt, Task
from gateway.domain.tasks.task_change import TaskChange

PATIENCE: Final = 30_000
"""So long a task may be claimable and nobody live able to take it before it is flagged (ms)."""
STILL: Final = 1_000
"""How often a clock that has run out looks whether its concurrency key is free again (ms)."""


def fits(task: Task, attempt: Attempt | None, place: Place) -> bool:
    """Whether a launcher there may take it: where its sandbox may be, else where ops want it."""
    if attempt is not None and attempt.place is not None:
        return place == attempt.place
    return task.provider in {None, place[0]}


def offer(draft: TaskChange, at: int, *, queue: int) -> None:
    """The current attempt may be claimed from that moment on; its queue clock starts there."""
    draft.change(claimable_at=at, queue=at + queue)
    watch(draft)


def watch(draft: TaskChange) -> None:
    """Says `no_launcher` when it has waited for too long and nobody live can take it. The clock for
    it runs only while that is so: a queue in front of busy launchers comes due for nothing."""
    task = draft.task
    is_offered = task.claimable_at is not None and is_waiting(task.status)
    at = _patience_ends(draft) if is_offered and not _can_be_taken(draft) else None
    if at is not None and at <= draft.now:
        draft.raise_flag("no_launcher", "no live launcher can take it")
        at = None
    if at != task.clocks.no_launcher:
        draft.change(no_launcher=at)


def queue_left(draft: TaskChange) -> int:
    """What its queue clock has left (ms): a relaunch goes on with that, and time for which its
    concurrency key was taken does not count."""
    task, attempt = draft.task, draft.attempt
    whole = task.timeouts.queue * 1000
    if attempt is not None and attempt.launches and attempt.queue_left is not None:
        whole = attempt.queue_left
    return whole - _waited(draft)


def _can_be_taken(draft: TaskChange) -> bool:
    task, attempt = draft.task, draft.attempt
    return any(
        realm.is_live(draft.now)
        and serves(realm.project, task.project)
        and fits(task, attempt, realm.place)
        for realm in draft.view.realms.values()
    )


def _patience_ends(draft: TaskChange) -> int:
    at = draft.now + PATIENCE - _waited(draft)
    if at <= draft.now and not draft.view.has_room(draft.task):
        at = draft.now + PATIENCE
    # Right after our start nobody could have called yet.
    return max(at, draft.policy.started_at + LIVE_FOR)


def _waited(draft: TaskChange) -> int:
    since = draft.task.claimable_at
    if since is None:
        return 0
    if draft.task.concurrency_key is None or since >= draft.now:
        return draft.now - since
    periods = draft.view.taken.get(draft.task.scoped_key, ())
    return draft.now - since - standstill(periods, since, draft.now)
