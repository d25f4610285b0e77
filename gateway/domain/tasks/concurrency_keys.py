"""Periods in which a concurrency key was fully used: they stop the queue clocks of its tasks."""

from collections.abc import Iterable

from gateway.domain.tasks.task import Frozen


class ConcurrencyHold(Frozen, frozen=True, kw_only=True):
    """A period in which a key's limit of attempts was reached; milliseconds."""

    project: str
    concurrency_key: str
    taken_at: int
    freed_at: int | None = None
    """None: the period lasts."""


def time_blocked(periods: Iterable[ConcurrencyHold], start: int, end: int) -> int:
    """The part of the time from start to end within periods, which never overlap."""
    return sum(
        max(0, min(period.freed_at or end, end) - max(period.taken_at, start)) for period in periods
    )
