"""The pruner: what may be kept for a time only is erased when that time is over."""

from collections.abc import Awaitable, Callable
from typing import Final

from gateway.domain.commands import Answer, Command, Prune

EVERY: Final = 600_000
"""Milliseconds between two prunings."""


class Pruner:
    """One command every ten minutes, through the ledger like everything else."""

    name = "prune"
    topics = ()

    def __init__(
        self, submit: Callable[[Command], Awaitable[Answer]], clock: Callable[[], int]
    ) -> None:
        self._submit = submit
        self._clock = clock
        self._next = 0

    async def step(self) -> float:
        """Prunes if it is time; the seconds until it is."""
        now = self._clock()
        if now >= self._next:
            await self._submit(Prune(at=now))
            self._next = now + EVERY
        return (self._next - now) / 1000
