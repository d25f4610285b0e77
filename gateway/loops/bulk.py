"""The loop of bulk actions: a page of each at a time."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.domain.operations.bulk import AdvanceBulk, BrokenTask, BulkReply
from gateway.loops.broken_rows import BrokenRows
from gateway.store.loop_reads import BulkReads

log = structlog.get_logger(__name__)

SOON: Final = 0.05
"""Seconds between two pages: callers come in between."""
IDLE: Final = 60.0
"""Seconds; a new action notifies the loop."""

Submit = Callable[[AdvanceBulk], Awaitable[object]]


class BulkRunner:
    """Takes every bulk action to its end; the progress is stored with each."""

    name = "bulk"
    topics = ("bulk",)

    def __init__(
        self, reads: BulkReads, submit: Submit, broken: BrokenRows[str] | None = None
    ) -> None:
        self._reads = reads
        self._submit = submit
        self._broken = broken if broken is not None else BrokenRows[str](self.name)

    async def step(self) -> float:
        """Does the next page of each; returns the seconds until the next step."""
        broken = self._broken.current()
        running = [it for it in await self._reads.running_bulk_actions() if it.id not in broken]
        for bulk in running:
            answer: object = None
            with self._broken.guarded(bulk.id, bulk=bulk.id):
                answer = await self._advance(bulk.id)
            if isinstance(answer, BulkReply) and answer.bulk.status != "running":
                after = answer.bulk
                log.info(
                    "bulk",
                    bulk=after.id,
                    action=after.action,
                    actor=after.actor,
                    status=after.status,
                    done=after.done,
                    failed=after.failed,
                )
        return SOON if running else IDLE

    async def _advance(self, bulk_id: str) -> object:
        """Does a page; a task on which a rule breaks must not hold up the others."""
        broken: frozenset[str] = frozenset()
        while True:
            try:
                return await self._submit(AdvanceBulk(bulk_id=bulk_id, broken=broken))
            except BrokenTask as exc:
                # The ledger has logged the traceback.
                log.warning("bulk.broken_task", bulk=bulk_id, task=exc.task_id)
                broken |= {exc.task_id}
