"""The months: partitions of events that retention drops as a whole."""

from collections.abc import Awaitable, Callable
from typing import Final

EVERY: Final = 600.0
"""Seconds between two steps."""


class MonthlyPartitions:
    """Asks the store for the partitions that it needs."""

    name = "months"
    topics = ()

    def __init__(self, keep: Callable[[int], Awaitable[None]], clock: Callable[[], int]) -> None:
        self._keep = keep
        self._clock = clock

    async def step(self) -> float:
        """Makes and drops partitions; returns the seconds to the next step."""
        await self._keep(self._clock())
        return EVERY
