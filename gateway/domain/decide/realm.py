"""A realm that falls silent, or is heard again: what the tasks in it are told."""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.domain.answers import Accepted
from gateway.domain.commands import RealmDue
from gateway.domain.draft import Draft
from gateway.domain.realm import LIVE_FOR, Place
from gateway.domain.view import View
from gateway.domain.waiting import watch


def realm_due(view: View, command: RealmDue, now: int) -> Accepted:
    """Looks whether a launcher of it still calls."""
    realm = view.realms.get(command.place)
    if realm is None or realm.due_at is None or realm.due_at > now:
        return Accepted()
    if realm.is_live(now):
        for draft in _changed(view, now, realm.place, is_missing=False):
            draft.keep()
        view.put_realm(replace(realm, due_at=realm.called_at + LIVE_FOR))
    elif now < view.policy.started_at + LIVE_FOR:
        view.put_realm(replace(realm, due_at=view.policy.started_at + LIVE_FOR))
    else:
        for draft in _changed(view, now, realm.place, is_missing=True):
            draft.keep()
        view.put_realm(replace(realm, due_at=now if view.has_more_stranded else None))
    return Accepted()


def _changed(view: View, now: int, place: Place, *, is_missing: bool) -> Iterator[Draft]:
    for task in list(view.tasks.values()):
        draft = Draft(view, task, now)
        is_there = any(attempt.place == place for attempt in draft.living())
        if is_there and not is_missing:
            draft.lower_flag("realm_missing")
        if is_missing and not task.status.is_terminal:
            if is_there:
                draft.raise_flag("realm_missing", f"no launcher of {'@'.join(place)} calls")
            watch(draft)
        if draft.task is not task:
            yield draft
