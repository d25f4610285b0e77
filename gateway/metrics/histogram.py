"""Histograms of durations as plain numbers."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import add
from typing import Final

BRIEF: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bounds (seconds) for requests, commits and the event loop."""
LONG: Final = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21_600, 86_400)
"""Bounds (seconds) for the times of tasks."""


class Histogram:
    """Durations by bound. All is counted on one event loop, and the Histogram of the library takes
    three locks for each value."""

    __slots__ = ("_bounds", "in_bucket", "seconds")

    def __init__(self, bounds: Sequence[float] = BRIEF) -> None:
        self._bounds = bounds
        self.in_bucket = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Each bound with the number of values up to it."""
        names = (*map(str, self._bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self.in_bucket)), strict=True))

    def count(self, seconds: float) -> None:
        self.in_bucket[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds

    def add(self, others: "Histogram") -> None:
        self.in_bucket = [*map(add, self.in_bucket, others.in_bucket)]
        self.seconds += others.seconds
