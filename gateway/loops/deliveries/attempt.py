"""The life of one attempt: build the message, wait for a slot, send it, write its outcome down."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import SettleDelivery
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.read_set import Command
from gateway.loops.deliveries.admission import Limits, Slot
from gateway.loops.deliveries.message_builder import Build, built
from gateway.loops.deliveries.post import Outcome, Send, WebhookMessage
from gateway.loops.deliveries.schedule import Timing
from gateway.loops.deliveries.settlement import settlement, superseded
from gateway.loops.deliveries.wait_queue import WaitQueue
from gateway.store.ownership import ALONE, Ownership
from gateway.store.records import Head

log = structlog.get_logger(__name__)

AGAIN: Final = 1.0
"""Seconds until a write that the store refused is tried again."""

Submit = Callable[[Command], Awaitable[Answer]]


class AttemptRunner:
    """Runs attempts within the limits."""

    def __init__(
        self,
        build: Build,
        send: Send,
        submit: Submit,
        *,
        limits: Limits,
        timing: Timing,
        ownership: Ownership = ALONE,
    ) -> None:
        self._build = build
        self._send = send
        self._submit = submit
        self._limits = limits
        self._timing = timing
        self._ownership = ownership
        self._unanswered: set[asyncio.Task[None]] = set()

    async def run(
        self, head: Head, place: Slot | WaitQueue, *, freed: Callable[[Slot], None]
    ) -> bool:
        """Make the attempt; True if the delivery needs no other. It never raises. `freed` gets its
        slot once the receiver has answered."""
        try:
            ended = await self._attempt(head, place, freed)
            # Others have the slot meanwhile: the receiver need not wait for our disk.
            if ended is not None:
                await self._settle(ended[0])
                _log_attempt(head, *ended)
                return ended[0].status != "pending"
        except Unavailable:
            # It stays pending and due.
            await self._timing.sleep(AGAIN)
        except Exception:
            # What cannot even be written down would be sent again and again.
            self._limits.endpoint(head.endpoint_id).open_breaker(self._timing.clock())
            log.exception("delivery.unsettled", endpoint=head.endpoint_id, seq=head.seq)
        return False

    def abandon(self) -> None:
        """Cancel the attempts whose receivers have not answered yet; the gateway stops.

        It is unknown whether they took it, so the delivery stays pending and due, and is sent again
        after the start, under the same `webhook-id`. What has been answered is settled.
        """
        for task in self._unanswered:
            task.cancel()

    async def _attempt(
        self, head: Head, place: Slot | WaitQueue, freed: Callable[[Slot], None]
    ) -> tuple[SettleDelivery, Outcome | None] | None:
        """Build and send; None if its turn did not come."""
        slot = place if isinstance(place, Slot) else None
        try:
            try:
                message = await built(self._build(head))
                if isinstance(place, WaitQueue):
                    slot = await self._slot(head, place)
            finally:
                if isinstance(place, WaitQueue):
                    place.leave()
            # The rows are those of another gateway now, which may have sent later ones meanwhile.
            is_ours = self._ownership.owns(head.endpoint_id)
            if slot is None or self._timing.is_stopping() or not is_ours:
                return None
            return await self._sent(head, message)
        finally:
            if slot is not None:
                freed(slot)

    async def _slot(self, head: Head, queue: WaitQueue) -> Slot | None:
        """The slot of a delivery that waits; None if it has waited too long."""
        if self._limits.available(head, self._timing.clock()) <= 0 and not await queue.wait():
            self._limits.endpoint(head.endpoint_id).mark_slow()
            return None
        return self._limits.start(head, self._timing.clock())

    async def _sent(
        self, head: Head, message: WebhookMessage | Outcome | None
    ) -> tuple[SettleDelivery, Outcome | None]:
        limiter, at = self._limits.endpoint(head.endpoint_id), self._timing.clock()
        if message is None:
            return superseded(head, at), None
        settle = partial(settlement, limiter=limiter, timing=self._timing)
        if isinstance(message, Outcome):
            return settle(head, None, message, at), message
        with self._abandonable():
            outcome = await self._send(message)
        self._record(head, outcome)
        return settle(head, message, outcome, at), outcome

    @contextmanager
    def _abandonable(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is not None:
            self._unanswered.add(task)
        try:
            yield
        finally:
            self._unanswered.discard(task)

    def _record(self, head: Head, outcome: Outcome) -> None:
        """Tell the limits how the endpoint answered."""
        limiter, now = self._limits.endpoint(head.endpoint_id), self._timing.clock()
        self._limits.record(head.project, outcome.duration_ms, is_success=outcome.is_success)
        if outcome.is_success:
            if limiter.breaker_open:
                log.info("endpoint.resumed", endpoint=head.endpoint_id)
            limiter.succeed()
        elif outcome.is_charged and limiter.fail(now):
            log.warning("endpoint.paused", endpoint=head.endpoint_id, reason=outcome.reason)

    async def _settle(self, outcome: SettleDelivery) -> None:
        """Write the outcome down; if that breaks, only what the schedule needs of it."""
        try:
            await self._submit_until_stored(outcome)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - the ledger has logged it
            bare = replace(outcome, body=None, answer=None, is_attempt=False)
            await self._submit_until_stored(bare)

    async def _submit_until_stored(self, outcome: SettleDelivery) -> None:
        """While the store cannot commit, the outcome waits and its lane with it, or the receiver
        would get the same again and again."""
        while True:
            try:
                await self._submit(outcome)
            except Unavailable:
                if self._timing.is_stopping():
                    raise
            else:
                return
            await self._timing.sleep(AGAIN)


def _log_attempt(head: Head, settled: SettleDelivery, outcome: Outcome | None) -> None:
    """The canonical line of an attempt."""
    if outcome is None:
        return
    error = outcome.error
    (log.info if error is None else log.error)(
        "delivery",
        endpoint=head.endpoint_id,
        task=head.task_id,
        seq=head.seq,
        attempt=settled.attempts,
        status=settled.status,
        http=settled.http_status,
        reason=settled.reason,
        duration_ms=settled.duration_ms,
        **({} if outcome.detail is None else {"detail": outcome.detail}),
        **({} if error is None else {"exc_info": error}),
    )
