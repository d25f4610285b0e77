"""Gauges: counts of the current state, for alerts."""

from collections.abc import Mapping

from gateway.domain.tasks.task import Frozen


class Gauges(Frozen, frozen=True, kw_only=True):
    """Counts at one time."""

    tasks: Mapping[str, int]
    """Tasks by state."""
    flags: Mapping[str, int]
    """Tasks by flag."""
    deliveries: Mapping[str, int]
    """Undelivered deliveries by state; counting the delivered ones would read the whole table."""
    oldest_due_at: int | None
    """Due time of the longest waiting delivery (milliseconds)."""
    launchers: int
    """Live launchers."""
    places: int
    """Free capacity of the live launchers."""
