"""How everything stands, in numbers: what somebody who sleeps wants to be woken for."""

from collections.abc import Mapping

from gateway.domain.tasks.task import Frozen


class Gauges(Frozen, frozen=True, kw_only=True):
    """Counts of one moment."""

    tasks: Mapping[str, int]
    """By state."""
    flags: Mapping[str, int]
    """Tasks by the code of a flag they have."""
    deliveries: Mapping[str, int]
    """Those that have not arrived, by state: to count the others is to read all there were."""
    oldest_due_at: int | None
    """Since when the delivery that waits longest is due (milliseconds)."""
    launchers: int
    """Those that have called lately."""
    places: int
    """How many more sandboxes they would make."""
