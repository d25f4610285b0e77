"""A realm that falls silent, or is heard again: what the tasks in it are told."""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import RealmDue
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import (
    LIVE_FOR,
    Place,
    Realm,
    serves,
)
from gateway.domain.tasks.queue_clock import watch
from gateway.domain.tasks.task import Task
from gateway.domain.tasks.task_change import TaskChange


def realm_due(view: UnitOfWork, command: RealmDue, now: int) -> Accepted:
    """Looks whether a launcher of it still calls."""
    realm = view.realms.get(command.key)
    if realm is None or realm.due_at is None or realm.due_at > now:
        return Accepted()
    if realm.is_live(now):
        for draft in _changed(view, now, realm):
            draft.keep()
        view.put_realm(replace(realm, due_at=realm.called_at + LIVE_FOR))
    elif now < view.policy.started_at + LIVE_FOR:
        view.put_realm(replace(realm, due_at=view.policy.started_at + LIVE_FOR))
    else:
        for draft in _changed(view, now, realm):
            draft.keep()
        view.put_realm(replace(realm, due_at=now if view.has_more_stranded else None))
    return Accepted()


def _changed(view: UnitOfWork, now: int, realm: Realm) -> Iterator[TaskChange]:
    for task in list(view.tasks.values()):
        if not serves(realm.project, task.project):
            continue
        draft = TaskChange(view, task, now)
        is_there = any(attempt.place == realm.place for attempt in draft.living())
        is_served = _is_served(view, task, realm.place, now)
        if is_there and is_served:
            draft.lower_flag("realm_missing")
        if not realm.is_live(now) and not task.status.is_terminal:
            if is_there and not is_served:
                draft.raise_flag("realm_missing", f"no launcher of {'@'.join(realm.place)} calls")
            watch(draft)
        if draft.task is not task:
            yield draft


def _is_served(view: UnitOfWork, task: Task, place: Place, now: int) -> bool:
    """Whether a launcher of the task's project, or of all, still calls there."""
    keys = ((*place, project) for project in ("", task.project))
    realms = (view.realms.get(key) for key in keys)
    return any(realm is not None and realm.is_live(now) for realm in realms)
