"""The checkpointer: moves the write-ahead log into the database file when little happens."""

from collections.abc import Awaitable, Callable
from typing import Final

EVERY: Final = 5.0
"""Seconds between two steps."""
QUIET: Final = 5
"""Transactions between two steps that are the pulse and little else."""


class Checkpointer:
    """Keeps the log short: it never shrinks by itself, and losing it loses what only it has."""

    name = "checkpoint"
    topics = ()

    def __init__(self, count: Callable[[], int], checkpoint: Callable[[], Awaitable[None]]) -> None:
        """`count` gives the number of transactions ever written."""
        self._count = count
        self._checkpoint = checkpoint
        self._seen = 0

    async def step(self) -> float:
        """Checkpoints if there is something new and little traffic; returns the seconds to the next
        step."""
        written = self._count() - self._seen
        self._seen += written
        if 0 < written <= QUIET:
            await self._checkpoint()
        return EVERY
