"""What a sweep of a realm has found, and the wish for one right now."""

from typing import Literal

from gateway.domain.kernel.ids import sweep_id
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.launching.realm import RealmKey
from gateway.domain.tasks.task import Frozen

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


class SweepNow(Frozen, frozen=True, kw_only=True):
    """These realms are to be swept before their time."""

    realms: tuple[RealmKey, ...]

    @property
    def needs(self) -> ReadSet:
        """Their sweep jobs."""
        return ReadSet(jobs=tuple(sweep_id(*key) for key in self.realms))
