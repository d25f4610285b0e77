"""A task in the queue: its matching launchers, its queue clock, and the flag `no_launcher`."""

from collections.abc import Iterator
from functools import reduce
from typing import Final

from gateway.domain.launching.realm import LIVE_FOR, ProviderRealm, Realm, realm_text, serves
from gateway.domain.tasks.concurrency_keys import Period, common_periods, time_blocked
from gateway.domain.tasks.task import Attempt, Task
from gateway.domain.tasks.task_change import TaskChange

NO_LAUNCHER_AFTER: Final = 30_000
"""Time without a matching live launcher until a claimable task is flagged (milliseconds)."""
RECHECK_EVERY: Final = 1_000
"""Interval of an expired clock that stands still (milliseconds)."""


def fits(task: Task, attempt: Attempt | None, provider_realm: ProviderRealm) -> bool:
    """True if the task may run there: in its sandbox's realm, else at any provider it allows."""
    if attempt is not None and attempt.provider_realm is not None:
        return provider_realm == attempt.provider_realm
    return task.provider in {None, provider_realm[0]}


def offer(change: TaskChange, at: int, *, queue: int) -> None:
    """Makes the current attempt claimable from `at` on; its queue clock starts then."""
    change.schedule(claimable_at=at, queue=at + queue)
    watch_launchers(change)


def watch_launchers(change: TaskChange) -> None:
    """Raises `provider_down` while it could go only to paused providers, and `no_launcher` when no
    live launcher has matched for too long. The clock of that runs only without one: a queue in
    front of busy launchers must not fall due for nothing."""
    task = change.task
    is_offered = task.claimable_at is not None and task.status.is_waiting
    held = _paused_realms(change) if is_offered else []
    if held:
        change.raise_flag("provider_down", f"launching at {', '.join(held)} is paused")
    else:
        change.lower_flag("provider_down")
    at = _no_launcher_at(change) if is_offered and not _can_be_taken(change) else None
    if at is not None and at <= change.now:
        change.raise_flag("no_launcher", "no live launcher can take it")
        at = None
    if at != task.clocks.no_launcher:
        change.schedule(no_launcher=at)


def is_blocked(change: TaskChange) -> bool:
    """True while its queue clock stands still."""
    unit, task = change.unit, change.task
    is_paused = unit.switches.pause("launching", task.project, change.now) is not None
    return is_paused or not unit.keys.allows(task) or bool(_paused_realms(change))


def queue_left(change: TaskChange) -> int:
    """Time left on its queue clock (milliseconds); a relaunch continues the clock, and time in
    which its concurrency key was full or launching paused does not count."""
    task, attempt = change.task, change.attempt
    whole = task.timeouts.queue * 1000
    if attempt is not None and attempt.queue_left is not None:
        whole = attempt.queue_left
    return whole - _waited(change)


def _can_be_taken(change: TaskChange) -> bool:
    return any(realm.is_live(change.now) for realm in _fitting(change))


def _fitting(change: TaskChange) -> Iterator[Realm]:
    """The realms that it may go to."""
    task, attempt = change.task, change.attempt
    return (
        realm
        for realm in change.unit.realms.values()
        if serves(realm.project, task.project) and fits(task, attempt, realm.provider_realm)
    )


def _paused_realms(change: TaskChange) -> list[str]:
    """The live realms that it may go to, if launching is paused at all of them."""
    switches = change.unit.switches
    if not switches.has_providers:
        return []
    live = [realm for realm in _fitting(change) if realm.is_live(change.now)]
    if not all(switches.holding(realm.key, change.now) for realm in live):
        return []
    return [realm_text(realm.provider_realm) for realm in live]


def _no_launcher_at(change: TaskChange) -> int:
    at = change.now + NO_LAUNCHER_AFTER - _waited(change)
    if at <= change.now and is_blocked(change):
        at = change.now + NO_LAUNCHER_AFTER
    # Right after the start of the gateway no launcher can have called yet.
    return max(at, change.policy.started_at + LIVE_FOR)


def _waited(change: TaskChange) -> int:
    since = change.task.claimable_at
    if since is None:
        return 0
    if since >= change.now:
        return change.now - since
    return change.now - since - time_blocked(_periods(change, since), since, change.now)


def _periods(change: TaskChange, since: int) -> Iterator[Period]:
    """The periods after `since` in which nobody could claim it."""
    unit, task = change.unit, change.task
    if task.concurrency_key is not None:
        for hold in unit.keys.holds.get(task.scoped_key, ()):
            yield hold.taken_at, hold.freed_at
    for pause in unit.switches.pauses("launching", task.project):
        yield pause.since, pause.ends_at
    if unit.switches.has_providers:
        yield from _provider_periods(change, since)


def _provider_periods(change: TaskChange, since: int) -> list[Period]:
    """The periods in which launching was paused at all realms that it may go to."""
    at_each = [
        [(pause.since, pause.ends_at) for pause in change.unit.switches.at(realm.key, since)]
        for realm in _fitting(change)
    ]
    return reduce(common_periods, at_each) if at_each else []
