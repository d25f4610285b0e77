"""The loop of bulk actions: a page of each at a time."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.domain.operations.bulk import AdvanceBulk, BulkReply
from gateway.store.protocol import BulkReads

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

    def __init__(self, reads: BulkReads, submit: Submit) -> None:
        self._reads = reads
        self._submit = submit

    async def step(self) -> float:
        """Does the next page of each; returns the seconds until the next step."""
        running = await self._reads.running_bulk_actions()
        for bulk in running:
            answer = await self._submit(AdvanceBulk(bulk_id=bulk.id))
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
