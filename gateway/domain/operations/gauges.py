"""Gauges: values of the current state, for alerts."""

from collections.abc import Mapping

from gateway.domain.tasks.task import Frozen


class DiskSpace(Frozen, frozen=True, kw_only=True):
    """The space of a disk, in bytes."""

    free: int
    """For this process: a reserve of the system does not count."""
    total: int


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
    oldest_claimable_at: int | None
    """Time from which the longest waiting task could have been launched (milliseconds)."""
    endpoints: Mapping[str, int]
    """Endpoints that are `failing` or were `disabled` for it."""
    providers: Mapping[str, int] = {}
    """Pauses of launching at each provider."""
    launchers: int
    """Live launchers."""
    places: int
    """Free capacity of the live launchers."""
