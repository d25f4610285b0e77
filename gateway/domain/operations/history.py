"""The last day of an installation: ends by hour, and how long tasks and webhooks took."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.tasks.task import Frozen

DAY: Final = 86_400_000
"""Milliseconds."""
HOURS: Final = 24
"""Of a chart, the running one included."""
SAMPLE: Final = 500
"""Ended tasks whose durations are read: the newest."""


class Ends(Frozen, frozen=True, kw_only=True):
    """Tasks that ended in one hour in one state."""

    hour: int
    """Hours since the epoch."""
    status: str
    count: int


class Durations(Frozen, frozen=True, kw_only=True):
    """Durations of one kind, sorted (milliseconds)."""

    name: str
    values: tuple[int, ...]

    def percentile(self, share: float) -> int | None:
        """The duration that this share of them does not exceed (nearest rank); None of none."""
        if not self.values:
            return None
        rank = max(1, -(-len(self.values) * share // 1))
        return self.values[int(rank) - 1]


class History(Frozen, frozen=True, kw_only=True):
    """The rows of the charts."""

    ends: tuple[Ends, ...]
    durations: tuple[Durations, ...]


def durations(name: str, values: Sequence[int | None]) -> Durations:
    """The measured durations; a clock that was set back measures nothing."""
    known = (value for value in values if value is not None and value >= 0)
    return Durations(name=name, values=tuple(sorted(known)))
