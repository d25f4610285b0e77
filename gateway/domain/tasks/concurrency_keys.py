"""Concurrency keys: the attempts that run under each, and the periods in which it was full."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from gateway.domain.tasks.task import LIVE, Frozen, Status, Task


class ConcurrencyHold(Frozen, frozen=True, kw_only=True):
    """A period in which a key's limit of attempts was reached; milliseconds."""

    project: str
    concurrency_key: str
    taken_at: int
    freed_at: int | None = None
    """None: the period lasts."""


Period = tuple[int, int | None]
"""Beginning and end in milliseconds; None: it lasts."""


def time_blocked(periods: Iterable[Period], start: int, end: int) -> int:
    """The part of the time from start to end within any of the periods: queue clocks stand still
    for it."""
    blocked, counted_to = 0, start
    for since, ended in sorted(periods, key=lambda period: period[0]):
        until = end if ended is None else min(ended, end)
        blocked += max(0, until - max(since, counted_to))
        counted_to = max(counted_to, until)
    return blocked


def common_periods(some: Iterable[Period], others: Iterable[Period]) -> list[Period]:
    """The periods that are within one of both."""
    others = list(others)
    pairs = ((mine, theirs) for mine in some for theirs in others)
    ends = (
        (max(mine[0], theirs[0]), [at for at in (mine[1], theirs[1]) if at is not None])
        for mine, theirs in pairs
    )
    found = ((since, min(ended, default=None)) for since, ended in ends)
    return [(since, end) for since, end in found if end is None or since < end]


@dataclass
class ConcurrencyKeys:
    """Concurrency keys in use."""

    limit: int
    """Attempts of one key that may run."""
    in_use: dict[str, int] = field(default_factory=dict)
    """The number of attempts of each key that are launching or running."""
    holds: dict[str, tuple[ConcurrencyHold, ...]] = field(default_factory=dict)
    """The holds of each key, as far back as a task has waited for it."""
    changes: list[ConcurrencyHold] = field(default_factory=list)

    def allows(self, task: Task) -> bool:
        """True if its key allows one more of them to launch."""
        if task.concurrency_key is None or task.status is not Status.QUEUED:
            return True
        return self.in_use.get(task.scoped_key, 0) < self.limit

    def move(self, before: Task, after: Task, now: int) -> None:
        """A task with a key has changed: it may take the key, or free it."""
        by = (after.status in LIVE) - (before.status in LIVE)
        if after.concurrency_key is None or not by:
            return
        key = after.scoped_key
        self.in_use[key] = max(0, self.in_use.get(key, 0) + by)
        held = next((hold for hold in self.holds.get(key, ()) if hold.freed_at is None), None)
        is_full = self.in_use[key] >= self.limit
        if is_full and held is None:
            name = after.concurrency_key
            hold = ConcurrencyHold(project=after.project, concurrency_key=name, taken_at=now)
            self._change(key, None, hold)
        elif held is not None and not is_full:
            self._change(key, held, replace(held, freed_at=now))

    def _change(self, key: str, before: ConcurrencyHold | None, after: ConcurrencyHold) -> None:
        others = (hold for hold in self.holds.get(key, ()) if hold is not before)
        self.holds[key] = (*others, after)
        self.changes.append(after)

    @property
    def is_changed(self) -> bool:
        """True if a key was taken or freed."""
        return bool(self.changes)
