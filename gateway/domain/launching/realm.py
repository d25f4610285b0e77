"""Realms: name spaces of sandboxes, each reachable only by its own launchers; and their sweeps."""

from typing import Final, Literal

from msgspec.structs import replace

from gateway.domain.tasks.task import Frozen

ProviderRealm = tuple[str, str]
"""(provider, realm), as a launcher claims with them."""
RealmKey = tuple[str, str, str]
"""(provider, realm, project whose launchers serve it; empty: launchers of all projects)."""

LIVE_FOR: Final = 60_000
"""Time for which a launcher is live after a call (milliseconds)."""


class Realm(Frozen, frozen=True, kw_only=True):
    """A realm of a provider, and the last call of its launchers; milliseconds."""

    provider: str
    realm: str
    project: str
    """The project of these launchers; empty: all."""
    called_at: int
    due_at: int | None
    """The next check that it is live. None: it is missing, and its tasks were flagged."""
    failing_code: str | None = None
    """The provider's own error with which the last launches there have failed."""
    failing_since: int | None = None
    failures: int = 0
    """Their number, without one that succeeded in between."""

    @property
    def provider_realm(self) -> ProviderRealm:
        return self.provider, self.realm

    @property
    def key(self) -> RealmKey:
        return self.provider, self.realm, self.project

    def is_live(self, now: int) -> bool:
        return now - self.called_at < LIVE_FOR

    def called(self, now: int) -> "Realm":
        """The realm after a call; a missing one is due at once."""
        is_unsettled = self.due_at is None or self.due_at <= now
        return replace(self, called_at=now, due_at=now if is_unsettled else now + LIVE_FOR)


def first_call(key: RealmKey, now: int) -> Realm:
    """A realm after its first call; it is due at once, because its tasks may be flagged."""
    provider, realm, project = key
    return Realm(provider=provider, realm=realm, project=project, called_at=now, due_at=now)


def realm_text(provider_realm: ProviderRealm) -> str:
    """`provider@realm`, as a launcher claims with it; the empty realm is left out."""
    provider, realm = provider_realm
    return f"{provider}@{realm}" if realm else provider


def serves(project: str, of: str) -> bool:
    """True if launchers of `project` (empty: of all) may work for project `of`."""
    return project in ("", of)


Outcome = Literal["waiting", "ending", "destroying"]
MAX_LISTED: Final = 100
"""Number of unwanted sandboxes stored by name; the others are counted."""


class Unwanted(Frozen, frozen=True, kw_only=True):
    """A sandbox with our label that belongs to no living attempt; times in milliseconds."""

    id: str
    name: str
    state: str
    task_id: str | None
    attempt: int | None
    created_at: int | None
    outcome: Outcome
    """`waiting`: it may soon be gone, or its create may still succeed; `ending`: its attempt has a
    destroy job; `destroying`: this sweep has opened one."""
    reason: str


class Sweep(Frozen, frozen=True, kw_only=True):
    """The newest result of a realm's sweep."""

    realm: RealmKey
    at: int
    seen: int
    """Number of sandboxes with our label."""
    unwanted: int
    sandboxes: tuple[Unwanted, ...]
    """The first unwanted ones."""
