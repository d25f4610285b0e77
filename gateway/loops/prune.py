"""The pruner: what is kept for a time only goes when that time is over, a little at a time."""

from collections.abc import Awaitable, Callable
from typing import Final

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import Prune
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.read_set import Command
from gateway.domain.tasks.retention import KEPT
from gateway.store.loop_reads import RetentionReads

EVERY: Final = 600_000
"""Milliseconds between two passes."""
PAUSE: Final = 0.1
"""Seconds between two steps of a pass: callers' batches come in between."""
LOOKED_AT: Final = 500
"""Rows read in a step."""
EVENTS: Final = 500
"""Events deleted in a step; a task with more of them goes alone, for it goes whole."""


class Pruner:
    """Goes through all that is old, every ten minutes; what it proposes, the ledger decides."""

    name = "prune"
    topics = ()

    def __init__(
        self,
        reads: RetentionReads,
        submit: Callable[[Command], Awaitable[Answer]],
        clock: Callable[[], int],
        *,
        retention: int,
    ) -> None:
        """`retention` is how long a task is kept after its end (milliseconds)."""
        self._reads = reads
        self._submit = submit
        self._clock = clock
        self._retention = retention
        self._next = 0
        self._env_after: str | None = ""
        self._tasks_after: str | None = ""
        self._own_after: int | None = 0
        # Where the pass stands: behind which id it goes on; None when it is through.

    async def step(self) -> float:
        """Prunes a little if it is time; the seconds until there is more to do."""
        now = self._clock()
        # A clock that was set back must not silence it until it has caught up.
        if 0 < self._next - now <= EVERY:
            return (self._next - now) / 1000
        command = Prune(
            at=now,
            env_of=await self._with_old_env(now - KEPT),
            tasks=await self._old_tasks(now - self._retention),
            ended_before=now - self._retention,
            own_events=await self._old_own_events(now - self._retention),
        )
        await self._submit(command)
        places = (self._env_after, self._tasks_after, self._own_after)
        if any(place is not None for place in places) or await self._has_more(now):
            return PAUSE
        self._next, self._env_after, self._tasks_after, self._own_after = now + EVERY, "", "", 0
        return EVERY / 1000

    async def _has_more(self, now: int) -> bool:
        reads = self._reads
        if await reads.has_idempotency_records(now - KEPT):
            return True
        if await reads.has_old_groups(now):
            return True
        return await reads.has_old_audit(now - self._retention)

    async def _with_old_env(self, before: int) -> tuple[str, ...]:
        if self._env_after is None:
            return ()
        found = await self._reads.kept_env(self._env_after, LOOKED_AT)
        self._env_after = found[-1][0] if len(found) == LOOKED_AT else None
        return tuple(name for name, ended_at in found if _is_old(ended_at, before))

    async def _old_tasks(self, before: int) -> tuple[str, ...]:
        if self._tasks_after is None:
            return ()
        until = typeid("task", max(0, before), 0)
        found = await self._reads.old_tasks(self._tasks_after, until, LOOKED_AT)
        chosen: list[str] = []
        events = 0
        for name, length, ended_at in found:
            if _is_old(ended_at, before):
                if chosen and events + length > EVENTS:
                    return tuple(chosen)
                chosen.append(name)
                events += length
            self._tasks_after = name
        if len(found) < LOOKED_AT:
            self._tasks_after = None
        return tuple(chosen)

    async def _old_own_events(self, before: int) -> tuple[int, ...]:
        if self._own_after is None:
            return ()
        found = await self._reads.own_events(self._own_after, LOOKED_AT)
        old = tuple(seq for seq, at in found if at <= before)
        self._own_after = old[-1] if len(old) == LOOKED_AT else None
        return old


def _is_old(ended_at: int | None, before: int) -> bool:
    return ended_at is not None and ended_at <= before
