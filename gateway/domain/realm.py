"""A realm: a name space of sandboxes that only its own launchers can make, find and judge."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.task import Frozen

Place = tuple[str, str]
"""Provider and realm, as a launcher claims with them."""

LIVE_FOR: Final = 60_000
"""So long after a call its launcher is live (milliseconds)."""


class Realm(Frozen, frozen=True, kw_only=True):
    """One provider in one realm, and when a launcher of it was last heard of; milliseconds."""

    provider: str
    realm: str
    called_at: int
    due_at: int | None
    """When to look whether it is still live. None: it is missing, and its tasks were told."""

    @property
    def place(self) -> Place:
        """What a launcher claims with to serve it."""
        return self.provider, self.realm

    def is_live(self, now: int) -> bool:
        """Whether a launcher of it called within 60 s."""
        return now - self.called_at < LIVE_FOR

    def called(self, now: int) -> "Realm":
        """As it stands after a call: one that was missing is looked at right now."""
        is_unsettled = self.due_at is None or self.due_at <= now
        return replace(self, called_at=now, due_at=now if is_unsettled else now + LIVE_FOR)


def first_call(place: Place, now: int) -> Realm:
    """A realm nobody had heard of."""
    provider, realm = place
    return Realm(provider=provider, realm=realm, called_at=now, due_at=now + LIVE_FOR)
