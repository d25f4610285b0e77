"""A task that waits for a launcher: who could take it, how long it has waited, and what is said."""

from typing import Final

from gateway.domain.launching.realm import LIVE_FOR, ProviderRealm, serves
from gateway.domain.tasks.concurrency_hold import time_blocked
from gateway.domain.tasks.run_clocks import is_waiting
from gateway.domain.tasks.task import Attempt, Task
from gateway.domain.tasks.task_change import TaskChange

NO_LAUNCHER_AFTER: Final = 30_000
"""So long a task may be claimable and nobody live able to take it before it is flagged (ms)."""
RECHECK_EVERY: Final = 1_000
"""How often a clock that has run out looks whether its concurrency key is free again (ms)."""


def fits(task: Task, attempt: Attempt | None, place: ProviderRealm) -> bool:
    """Whether a launcher there may take it: where its sandbox may be, else where ops want it."""
    if attempt is not None and attempt.provider_realm is not None:
        return place == attempt.provider_realm
    return task.provider in {None, place[0]}


def offer(change: TaskChange, at: int, *, queue: int) -> None:
    """The current attempt may be claimed from that moment on; its queue clock starts there."""
    change.schedule(claimable_at=at, queue=at + queue)
    watch(change)


def watch(change: TaskChange) -> None:
    """Says `no_launcher` when it has waited for too long and nobody live can take it. The clock for
    it runs only while that is so: a queue in front of busy launchers comes due for nothing."""
    task = change.task
    is_offered = task.claimable_at is not None and is_waiting(task.status)
    at = _no_launcher_at(change) if is_offered and not _can_be_taken(change) else None
    if at is not None and at <= change.now:
        change.raise_flag("no_launcher", "no live launcher can take it")
        at = None
    if at != task.clocks.no_launcher:
        change.schedule(no_launcher=at)


def queue_left(change: TaskChange) -> int:
    """What its queue clock has left (ms): a relaunch goes on with that, and time for which its
    concurrency key was taken does not count."""
    task, attempt = change.task, change.attempt
    whole = task.timeouts.queue * 1000
    if attempt is not None and attempt.launches and attempt.queue_left is not None:
        whole = attempt.queue_left
    return whole - _waited(change)


def _can_be_taken(change: TaskChange) -> bool:
    task, attempt = change.task, change.attempt
    return any(
        realm.is_live(change.now)
        and serves(realm.project, task.project)
        and fits(task, attempt, realm.provider_realm)
        for realm in change.unit.realms.values()
    )


def _no_launcher_at(change: TaskChange) -> int:
    at = change.now + NO_LAUNCHER_AFTER - _waited(change)
    if at <= change.now and not change.unit.has_room(change.task):
        at = change.now + NO_LAUNCHER_AFTER
    # Right after our start nobody could have called yet.
    return max(at, change.policy.started_at + LIVE_FOR)


def _waited(change: TaskChange) -> int:
    since = change.task.claimable_at
    if since is None:
        return 0
    if change.task.concurrency_key is None or since >= change.now:
        return change.now - since
    periods = change.unit.taken.get(change.task.scoped_key, ())
    return change.now - since - time_blocked(periods, since, change.now)
