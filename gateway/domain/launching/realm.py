"""A realm: a name space of sandboxes that only its own launchers can make, find and judge."""

from typing import Final, Literal

from msgspec.structs import replace

from gateway.domain.tasks.task import Frozen

ProviderRealm = tuple[str, str]
"""Provider and realm, as a launcher claims with them."""
RealmKey = tuple[str, str, str]
"""Provider, realm, and the project whose launchers serve it there; empty: launchers of all."""

LIVE_FOR: Final = 60_000
"""So long after a call its launcher is live (milliseconds)."""


class Realm(Frozen, frozen=True, kw_only=True):
    """One provider in one realm, and when a launcher of it last called; milliseconds."""

    provider: str
    realm: str
    project: str
    """The one that these launchers serve; empty: all."""
    called_at: int
    due_at: int | None
    """When to look whether it is still live. None: it is missing, and its tasks were told."""

    @property
    def provider_realm(self) -> ProviderRealm:
        """What a launcher claims with to serve it."""
        return self.provider, self.realm

    @property
    def key(self) -> RealmKey:
        """Its place, and for whom it is served."""
        return self.provider, self.realm, self.project

    def is_live(self, now: int) -> bool:
        """Whether a launcher of it called within 60 s."""
        return now - self.called_at < LIVE_FOR

    def called(self, now: int) -> "Realm":
        """As it stands after a call: one that was missing is looked at right now."""
        is_unsettled = self.due_at is None or self.due_at <= now
        return replace(self, called_at=now, due_at=now if is_unsettled else now + LIVE_FOR)


def first_call(key: RealmKey, now: int) -> Realm:
    """A realm that nobody had served like this; its tasks may have missed launchers of others."""
    provider, realm, project = key
    return Realm(provider=provider, realm=realm, project=project, called_at=now, due_at=now)


def serves(project: str, of: str) -> bool:
    """Whether launchers of a project (empty: of all) may do what belongs to project `of`."""
    return project in ("", of)


Outcome = Literal["waiting", "ending", "destroying"]
MAX_LISTED = 100
"""So many of the unwanted are kept by name; the others are counted."""


class Unwanted(Frozen, frozen=True, kw_only=True):
    """A sandbox with our label that no task wants; times in milliseconds."""

    id: str
    name: str
    state: str
    task_id: str | None
    attempt: int | None
    created_at: int | None
    outcome: Outcome
    """`waiting`: it may be about to vanish, or a create may still land; `ending`: its attempt has
    a destroy job; `destroying`: this sweep has opened one."""
    reason: str


class Sweep(Frozen, frozen=True, kw_only=True):
    """The newest report of a realm's sweep."""

    realm: RealmKey
    at: int
    seen: int
    """Sandboxes that carry our label."""
    unwanted: int
    told: tuple[Unwanted, ...]
    """Of the unwanted, the first ones."""
