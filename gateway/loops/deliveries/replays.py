"""The replayer: does stored replays of deliveries step by step."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.domain.deliveries.commands import AdvanceReplay, ReplayReply
from gateway.domain.deliveries.replay import AT_ONCE, Replay
from gateway.loops.broken_rows import BrokenRows
from gateway.store.loop_reads import ReplayReads

log = structlog.get_logger(__name__)

IN_FLIGHT: Final = 500
"""Deliveries of an endpoint that may be pending before a job adds more to them: its own rate and
breaker set the pace, and what is new does not wait behind a million old ones."""
SOON: Final = 0.05
"""Seconds between two steps of a job: callers come in between."""
AGAIN: Final = 0.25
"""Seconds until an endpoint that is owed enough is looked at again. A fast receiver takes
`IN_FLIGHT` deliveries in a third of a second, and would wait for more."""
IDLE: Final = 60.0
"""Seconds; new jobs are announced by a notification."""

Submit = Callable[[AdvanceReplay], Awaitable[object]]


class Replayer:
    """One step of every job at a time; where it stands is stored with each."""

    name = "replay"
    topics = ("replays",)

    def __init__(
        self, reads: ReplayReads, submit: Submit, broken: BrokenRows[str] | None = None
    ) -> None:
        self._reads = reads
        self._submit = submit
        self._broken = broken if broken is not None else BrokenRows[str](self.name)

    async def step(self) -> float:
        """Advance each replay that may go on; returns the seconds until the next step."""
        broken, wait = self._broken.current(), IDLE
        for replay in await self._reads.running_replays():
            if replay.id in broken:
                continue
            with self._broken.guarded(replay.id, replay=replay.id, endpoint=replay.endpoint_id):
                wait = min(wait, await self._advance(replay))
        return wait

    async def _advance(self, replay: Replay) -> float:
        limit = await self._available(replay)
        if not limit:
            return AGAIN
        answer = await self._submit(AdvanceReplay(replay_id=replay.id, limit=limit))
        if isinstance(answer, ReplayReply) and answer.replay.status != "running":
            after = answer.replay
            log.info(
                "replay",
                replay=after.id,
                kind=after.kind,
                endpoint=after.endpoint_id,
                status=after.status,
                matched=after.matched,
            )
        return SOON

    async def _available(self, replay: Replay) -> int:
        """Deliveries of the next step; pending ones hold up a replay that adds more."""
        if replay.kind in {"hold", "drop"} or replay.dry_run:
            return AT_ONCE
        pending = await self._reads.pending_of(replay.endpoint_id, IN_FLIGHT)
        return min(AT_ONCE, IN_FLIGHT - pending)
