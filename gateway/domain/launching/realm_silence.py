"""Realms that go missing or come back, and the flags of their tasks."""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import RealmDue
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import LIVE_FOR, ProviderRealm, Realm, serves
from gateway.domain.tasks.queue_clock import watch_launchers
from gateway.domain.tasks.task import Task
from gateway.domain.tasks.task_change import TaskChange


def realm_due(unit: UnitOfWork, command: RealmDue, now: int) -> Accepted:
    """Checks that a launcher of the realm still calls."""
    realm = unit.realms.get(command.key)
    if realm is None or realm.due_at is None or realm.due_at > now:
        return Accepted()
    if not realm.is_live(now) and now < unit.policy.started_at + LIVE_FOR:
        unit.realms.put(replace(realm, due_at=unit.policy.started_at + LIVE_FOR))
        return Accepted()
    changes = list(_changed(unit, now, realm))
    for change in changes:
        change.save()
    following = realm.called_at + LIVE_FOR if realm.is_live(now) else None
    if changes and unit.realms.has_more_stranded:
        following = now  # Without a change the next look would load the same tasks.
    unit.realms.put(replace(realm, due_at=following))
    return Accepted()


def _changed(unit: UnitOfWork, now: int, realm: Realm) -> Iterator[TaskChange]:
    for task in list(unit.tasks.values()):
        if not serves(realm.project, task.project):
            continue
        change = TaskChange(unit, task, now)
        provider_realm = realm.provider_realm
        is_there = any(attempt.provider_realm == provider_realm for attempt in change.living())
        is_served = _is_served(unit, task, provider_realm, now)
        if is_there and is_served:
            change.lower_flag("realm_missing")
        is_lost = is_there and not is_served and not realm.is_live(now)
        if is_lost and not task.status.is_terminal:
            change.raise_flag("realm_missing", f"no launcher of {'@'.join(provider_realm)} calls")
        is_held_up = task.claimable_at is not None and unit.switches.has_providers
        if not task.status.is_terminal and (is_held_up or not realm.is_live(now)):
            watch_launchers(change)
        if change.task is not task:
            yield change


def _is_served(unit: UnitOfWork, task: Task, provider_realm: ProviderRealm, now: int) -> bool:
    """True if a launcher of the task's project, or of all, still calls there."""
    keys = ((*provider_realm, project) for project in ("", task.project))
    realms = (unit.realms.get(key) for key in keys)
    return any(realm is not None and realm.is_live(now) for realm in realms)
