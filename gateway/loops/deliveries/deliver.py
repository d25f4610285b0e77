"""The deliverer: sends the outbox, lane by lane."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Final

import httpx
import structlog
from msgspec.structs import replace

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import Command, SettleDelivery
from gateway.domain.kernel.errors import Unavailable
from gateway.loops.deliveries.agenda import Agenda, Queue
from gateway.loops.deliveries.limits import Limits, Slot
from gateway.loops.deliveries.lookout import Lookout
from gateway.loops.deliveries.message_builder import written
from gateway.loops.deliveries.outbox import (
    Due,
    Head,
    Lane,
    OutboxReads,
)
from gateway.loops.deliveries.post import Outcome, WebhookMessage, post
from gateway.loops.deliveries.schedule import SCHEDULE
from gateway.loops.deliveries.settlement import NOT_ITS_FAULT, Judge, superseded
from gateway.loops.deliveries.wait_queue import PLACES, WaitQueue
from gateway.notifier import Notifier

log = structlog.get_logger(__name__)

PER_LOOK: Final = 32
"""Endpoints whose deliveries one look reads."""
SOONEST: Final = 0.05
"""Seconds until the next look for what comes due by itself."""
AGAIN: Final = 1.0
"""Seconds between two looks at what does not work just now."""
IDLE: Final = 60.0
"""Seconds; new deliveries are announced by a hint."""

Write = Callable[[Head], Awaitable[WebhookMessage | None]]
"""The letter of a delivery, None if its receiver gets none; raises `CannotWrite`."""
Submit = Callable[[Command], Awaitable[Answer]]


class Deliverer:
    """Starts attempts in the task group it is given: leaving the group waits for them."""

    name = "deliver"
    topics = ("deliveries", Lookout.topic)

    def __init__(
        self,
        reads: OutboxReads,
        write: Write,
        submit: Submit,
        *,
        transport: httpx.AsyncBaseTransport,
        group: asyncio.TaskGroup,
        notifier: Notifier,
        clock: Callable[[], int],
        random: Callable[[], float],
        schedule: Sequence[int] = SCHEDULE,
        is_stopping: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reads = reads
        self._write = write
        self._submit = submit
        self._transport = transport
        self._group = group
        self._notifier = notifier
        self._clock = clock
        self._is_stopping = is_stopping
        self._sleep = sleep
        self._flying: set[Lane] = set()
        self._unanswered: set[asyncio.Task[None]] = set()
        self._limits = Limits()
        self._waiting = WaitQueue()
        self._agenda = Agenda()
        self._lookout = Lookout(reads, notifier, self._limits, self._agenda)
        self._judge = Judge(self._limits, clock=clock, random=random, schedule=schedule)
        self._has_more = False
        """Another look goes on where the last one ended."""
        self._is_blocked = False
        """Something is due that waits for any slot."""

    async def step(self) -> float:
        """Starts what may be sent now; the seconds until the next one comes due."""
        if self._is_stopping():
            return IDLE
        now = self._clock()
        self._has_more = await self._lookout.learn(now)
        # A lane that lands during the read is left to the next step: what was read may be older.
        flew = frozenset(self._flying)
        wanted = self._choose(now)
        if wanted:
            due = await self._due(now, wanted)
            self._start([each.heads for each in due.values()], flew, now)
            self._note_next(due, wanted)
        return self._pause(now)

    def abandon(self) -> None:
        """Gives up on receivers that have not answered yet: we stop, and cannot wait for them.

        Whether they took it is not known, so the delivery stays as it was, pending and due, and is
        sent again after the start, under the same `webhook-id`. What has been answered is settled.
        """
        for attempt in self._unanswered:
            attempt.cancel()

    def _left(self, queue: Queue) -> int:
        return self._limits.left(queue[0], is_proven=queue[1])

    def _choose(self, now: int) -> dict[str, str]:
        """Endpoints that are looked at now, each with its project: one of each queue in turn, the
        longest due first."""
        chosen: dict[str, str] = {}
        left = {queue: self._left(queue) for queue in self._agenda.queues()}
        turns = deque(queue for queue, room in left.items() if room > 0)
        self._is_blocked = len(turns) < len(left)
        while turns and len(chosen) < PER_LOOK:
            queue = turns.popleft()
            endpoint_id = self._agenda.pop(queue, now)
            if endpoint_id is None:
                continue
            if self._has_place(endpoint_id, now):
                chosen[endpoint_id] = queue[0]
                left[queue] -= 1
            else:
                self._note_opening(queue[0], endpoint_id, now)
            if left[queue] > 0:
                turns.append(queue)
            else:
                self._is_blocked = True
        self._has_more = self._has_more or len(chosen) == PER_LOOK
        return chosen

    async def _due(self, now: int, wanted: dict[str, str]) -> dict[str, Due]:
        """One whose rows cannot be read is left alone for a while, and holds up no other."""
        try:
            return dict(await self._reads.due_deliveries(now, list(wanted)))
        except Unavailable:
            self._note_all(wanted, now)
            raise
        except Exception:
            if len(wanted) > 1:
                found = [await self._due(now, {name: wanted[name]}) for name in wanted]
                return {name: due for each in found for name, due in each.items()}
            log.exception("endpoint.unreadable", endpoint=next(iter(wanted)))
            self._note_all(wanted, now + NOT_ITS_FAULT)
            return {}

    def _note_all(self, wanted: dict[str, str], at: int) -> None:
        for endpoint_id, project in wanted.items():
            self._lookout.note(project, endpoint_id, at)

    def _start(self, heads: Iterable[Sequence[Head]], flew: frozenset[Lane], now: int) -> None:
        """Starts what may go; the first of each endpoint before the second of any."""
        ordered = [sorted(each, key=self._probe_order) for each in heads]
        for head in (head for rank in zip_longest(*ordered) for head in rank if head is not None):
            if self._is_stopping() or _lane(head) in self._flying or _lane(head) in flew:
                continue
            if not self._has_place(head.endpoint_id, now):
                self._note_opening(head.project, head.endpoint_id, now)
                continue
            slot = self._take(head, now)
            if slot is None and not self._limits.endpoint(head.endpoint_id).is_fast:
                self._lookout.note(head.project, head.endpoint_id, now)
                continue
            self._flying.add(_lane(head))
            if slot is None:
                self._waiting.enter(head.endpoint_id)
            self._group.create_task(self._run_attempt(head, slot))

    def _note_next(self, due: dict[str, Due], wanted: dict[str, str]) -> None:
        for endpoint_id, each in due.items():
            if each.next_at is not None:
                self._lookout.note(wanted[endpoint_id], endpoint_id, each.next_at)

    def _note_opening(self, project: str, endpoint_id: str, now: int) -> None:
        """It is looked at when it takes more, or when something of it lands."""
        at = self._limits.endpoint(endpoint_id).opens_at(now)
        if at is not None:
            self._lookout.note(project, endpoint_id, at)

    def _pause(self, now: int) -> float:
        """Seconds until something comes due that may start, if nothing lands before."""
        if self._has_more:
            return 0.0
        queues = (queue for queue in self._agenda.queues() if self._left(queue) > 0)
        moments = [at for at in map(self._agenda.next_at, queues) if at is not None]
        if not moments:
            return IDLE
        return max(SOONEST, (min(moments) - now) / 1000)

    def _has_place(self, endpoint_id: str, now: int) -> bool:
        """Whether one more may set off to it, if only to wait."""
        limiter = self._limits.endpoint(endpoint_id)
        left = limiter.available(now) - self._waiting.number(endpoint_id)
        return left > -PLACES if limiter.is_fast else left > 0

    def _probe_order(self, head: Head) -> int:
        """Probe a half-open endpoint with the delivery that has failed least: a poison message
        would keep the breaker open for all."""
        return head.failures if self._limits.endpoint(head.endpoint_id).breaker_open else 0

    def _take(self, head: Head, now: int) -> Slot | None:
        """A slot, unless those who wait for the endpoint have a right to all there are."""
        available = self._limits.available(head.project, head.endpoint_id, now)
        if available <= self._waiting.number(head.endpoint_id):
            return None
        return self._limits.start(head.project, head.endpoint_id, now, head.rate_per_second)

    async def _run_attempt(self, head: Head, slot: Slot | None) -> None:
        try:
            ended = await self._attempt(head, slot)
            # Others have the slot meanwhile: the receiver need not wait for our disk.
            if ended is not None:
                await self._settle(ended[0])
                _tell(head, *ended)
        except Unavailable:
            # It stays pending and due.
            await self._sleep(AGAIN)
        except Exception:
            # What cannot even be written down would be sent again and again.
            self._limits.endpoint(head.endpoint_id).shut(self._clock())
            log.exception("delivery.unsettled", endpoint=head.endpoint_id, seq=head.seq)
        finally:
            self._release_lane(head)

    async def _attempt(
        self, head: Head, slot: Slot | None
    ) -> tuple[SettleDelivery, Outcome | None] | None:
        """What became of it; None: its turn did not come."""
        try:
            letter, slot = await self._ready(head, slot)
            if slot is None or self._is_stopping():
                return None
            return await self._sent(head, letter)
        finally:
            if slot is not None:
                self._free(slot)

    async def _ready(
        self, head: Head, slot: Slot | None
    ) -> tuple[WebhookMessage | Outcome | None, Slot | None]:
        """What is sent, and the slot for it: one that has none is among those who wait."""
        if slot is not None:
            return await written(self._write(head)), slot
        try:
            return await written(self._write(head)), await self._slot(head)
        finally:
            self._waiting.leave(head.endpoint_id)

    async def _slot(self, head: Head) -> Slot | None:
        """The slot of a delivery that waits; None: it has waited too long."""
        now = self._clock()
        if self._limits.available(head.project, head.endpoint_id, now) <= 0:
            if not await self._waiting.wait(head.endpoint_id):
                self._limits.endpoint(head.endpoint_id).mark_slow()
                return None
            now = self._clock()
        return self._limits.start(head.project, head.endpoint_id, now, head.rate_per_second)

    def _free(self, slot: Slot) -> None:
        """Whoever waits for the endpoint goes on, unless others of its project would have none left
        because of that."""
        now, limiter = self._clock(), self._limits.endpoint(slot.endpoint_id)
        was_full = limiter.available(now) <= 0
        self._limits.finish(slot)
        left = self._limits.left(slot.project, is_proven=limiter.is_proven)
        if left > 1 and limiter.available(now) > 0 and self._waiting.call(slot.endpoint_id):
            return
        if was_full:
            self._lookout.note(slot.project, slot.endpoint_id, now)
        if was_full or self._is_blocked:
            self._notifier.notify(self.topics[:1])

    async def _sent(
        self, head: Head, letter: WebhookMessage | Outcome | None
    ) -> tuple[SettleDelivery, Outcome | None]:
        at = self._clock()
        if letter is None:
            return superseded(head, at), None
        if isinstance(letter, Outcome):
            return self._judge.settlement(head, None, letter, at), letter
        with self._abandonable():
            outcome = await post(self._transport, letter, clock=self._clock)
        self._weigh(head, outcome)
        return self._judge.settlement(head, letter, outcome, at), outcome

    @contextmanager
    def _abandonable(self) -> Iterator[None]:
        """May be abandoned until the receiver has answered."""
        attempt = asyncio.current_task()
        if attempt is not None:
            self._unanswered.add(attempt)
        try:
            yield
        finally:
            self._unanswered.discard(attempt)

    async def _settle(self, settlement: SettleDelivery) -> None:
        """Writes the outcome down; if that breaks, only what the schedule needs of it."""
        try:
            await self._submit_surely(settlement)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - the ledger has logged it
            bare = replace(settlement, body=None, answer=None, is_attempt=False)
            await self._submit_surely(bare)

    async def _submit_surely(self, settlement: SettleDelivery) -> None:
        """What was sent was sent: while the store cannot commit, its outcome waits and its lane
        with it, or the receiver would get the same again and again."""
        while True:
            try:
                await self._submit(settlement)
            except Unavailable:
                if self._is_stopping():
                    raise
            else:
                return
            await self._sleep(AGAIN)

    def _weigh(self, head: Head, outcome: Outcome) -> None:
        """What the outcome says of the endpoint, and of its project."""
        limiter = self._limits.endpoint(head.endpoint_id)
        self._limits.weigh(head.project, outcome.duration_ms, is_success=outcome.is_success)
        if outcome.is_success:
            if limiter.breaker_open:
                log.info("endpoint.resumed", endpoint=head.endpoint_id)
            limiter.succeed()
        elif outcome.is_charged and limiter.fail(self._clock()):
            log.warning("endpoint.paused", endpoint=head.endpoint_id, reason=outcome.reason)

    def _release_lane(self, head: Head) -> None:
        """The lane goes on at the next look, which is not far while others wait."""
        self._flying.discard(_lane(head))
        self._lookout.note(head.project, head.endpoint_id, self._clock())
        if self._waiting.number(head.endpoint_id) < PLACES // 3:
            self._notifier.notify(self.topics[:1])


def _tell(head: Head, settlement: SettleDelivery, outcome: Outcome | None) -> None:
    """The one line of an attempt."""
    if outcome is None:
        return
    error = outcome.error
    (log.info if error is None else log.error)(
        "delivery",
        endpoint=head.endpoint_id,
        task=head.task_id,
        seq=head.seq,
        attempt=settlement.attempts,
        status=settlement.status,
        http=settlement.http_status,
        reason=settlement.reason,
        duration_ms=settlement.duration_ms,
        **({} if outcome.detail is None else {"detail": outcome.detail}),
        **({} if error is None else {"exc_info": error}),
    )


def _lane(head: Head) -> Lane:
    return (head.endpoint_id, head.task_id)
