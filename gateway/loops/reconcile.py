"""The reconciler: turns clocks that came due into commands, and keeps the pulse."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import (
    JobDue,
    Pulse,
    RealmDue,
    TaskDue,
)
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.kernel.read_set import Command
from gateway.loops.broken_rows import BrokenRows
from gateway.store.loop_reads import DueReads

log = structlog.get_logger(__name__)

BATCH: Final = 256
"""Due rows read at a time: the ledger's queue has room for callers besides."""
PULSE_EVERY: Final = 5_000
"""Milliseconds between two pulses."""

Due = TaskDue | JobDue | RealmDue
Submit = Callable[[Command], Awaitable[Answer]]


class Reconciler:
    """Reads only what is due, so its cost does not grow with the number of tasks."""

    name = "reconcile"
    topics = ("due",)

    def __init__(
        self,
        reads: DueReads,
        submit: Submit,
        clock: Callable[[], int],
        broken: BrokenRows[Due] | None = None,
    ) -> None:
        self._reads = reads
        self._submit = submit
        self._clock = clock
        self._pulsed_at = 0
        self._broken = broken if broken is not None else BrokenRows[Due](self.name)

    async def step(self) -> float:
        """Submits what is due; the seconds until the next clock or pulse."""
        now = self._clock()
        await self._keep_pulse(now)
        broken = self._broken.current()
        limit = BATCH + len(broken)
        tasks = await self._reads.due_tasks(now, limit)
        jobs = await self._reads.due_jobs(now, limit)
        commands: list[Due] = [
            RealmDue(key=key) for key in await self._reads.due_realms(now, limit)
        ]
        commands += [TaskDue(task_id=task_id) for task_id in tasks]
        commands += [JobDue(job_id=job_id) for job_id in jobs]
        await asyncio.gather(*(self._settle(it) for it in commands if it not in broken))
        if limit in {len(tasks), len(jobs)}:
            return 0.0
        return await self._seconds_to_next()

    async def _settle(self, command: Due) -> None:
        with self._broken.guarded(command, command=str(command)):
            try:
                await self._submit(command)
            except Unavailable:
                raise
            except ApiError as refusal:
                log.warning("reconcile.refused", command=str(command), code=refusal.code)

    async def _keep_pulse(self, now: int) -> None:
        # A clock that was set back must not silence it until it has caught up.
        if not 0 <= now - self._pulsed_at < PULSE_EVERY:
            await self._submit(Pulse(at=now))
            self._pulsed_at = now

    async def _seconds_to_next(self) -> float:
        due = await self._reads.next_due()
        pulse = self._pulsed_at + PULSE_EVERY
        # At least a moment: a clock that a command leaves in the past must not spin the loop.
        least = 1.0 if self._broken.current() else 0.05
        return max(least, (min(pulse, due or pulse) - self._clock()) / 1000)
