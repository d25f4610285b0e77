"""The lag of the event loop: the time by which it comes late to what is due."""

import time
from collections.abc import Callable
from typing import Final

EVERY: Final = 1.0
"""Seconds between two measurements."""


class LagMeter:
    """Measures how late its own steps are."""

    name = "lag"
    topics = ()

    def __init__(
        self, count: Callable[[float], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`count` takes each lag (seconds)."""
        self._count = count
        self._monotonic = monotonic
        self._due_at: float | None = None

    async def step(self) -> float:
        """Measures the lag; returns the seconds to the next measurement."""
        now = self._monotonic()
        if self._due_at is not None:
            self._count(max(0.0, now - self._due_at))
        self._due_at = now + EVERY
        return EVERY
