"""The checkpointer: when little happens, what stands in the log of the database moves into its
file, and the log is cut."""

from collections.abc import Awaitable, Callable
from typing import Final

EVERY: Final = 5.0
"""Seconds between two looks."""
QUIET: Final = 5
"""So many transactions between two looks are the pulse and little else."""


class Checkpointer:
    """A log that grew while a reader held it would keep its length for good, and whoever loses the
    log loses what stands in it alone."""

    name = "checkpoint"
    topics = ()

    def __init__(self, count: Callable[[], int], checkpoint: Callable[[], Awaitable[None]]) -> None:
        """`count` tells how many transactions were ever written."""
        self._count = count
        self._checkpoint = checkpoint
        self._seen = 0

    async def step(self) -> float:
        """Checkpoints, if something is new and little happens; the seconds to the next look."""
        written = self._count() - self._seen
        self._seen += written
        if 0 < written <= QUIET:
            await self._checkpoint()
        return EVERY
