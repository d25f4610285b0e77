"""Stores when keys were last used: from memory, and at most once a minute for each key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command
from gateway.domain.operations.key_commands import NoteKeyUses

EVERY: Final = 60_000
"""Milliseconds between two writes for one key."""
LOOK_EVERY: Final = 5.0
"""Seconds until a first use is stored."""


class KeyUseRecorder:
    """Requests wait for none of its commands."""

    name = "key_uses"
    topics = ()

    def __init__(
        self,
        uses: Callable[[], Mapping[str, int]],
        submit: Callable[[Command], Awaitable[Answer]],
    ) -> None:
        """`uses` are the last uses (milliseconds) by key."""
        self._uses = uses
        self._submit = submit
        self._stored: dict[str, int] = {}

    async def step(self) -> float:
        """Stores uses that are a minute newer than the stored ones."""
        new = {
            key: at
            for key, at in self._uses().items()
            if key not in self._stored or at - self._stored[key] >= EVERY
        }
        if new:
            await self._submit(NoteKeyUses(uses=new))
            self._stored.update(new)
        return LOOK_EVERY
