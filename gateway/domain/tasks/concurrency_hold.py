"""When a concurrency key was taken: for so long the clocks of those who wait for it stand still."""

from collections.abc import Iterable

from gateway.domain.tasks.task import Frozen


class ConcurrencyHold(Frozen, frozen=True, kw_only=True):
    """A period in which as many attempts of a key ran as may; milliseconds."""

    project: str
    concurrency_key: str
    taken_at: int
    freed_at: int | None = None
    """None: it still is."""


def time_blocked(periods: Iterable[ConcurrencyHold], start: int, end: int) -> int:
    """How much of the time from start to end a key was taken; its periods never overlap."""
    return sum(
        max(0, min(period.freed_at or end, end) - max(period.taken_at, start)) for period in periods
    )
