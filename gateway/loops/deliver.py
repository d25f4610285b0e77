"""The deliverer: sends the outbox, lane by lane."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx
import structlog

from gateway.domain.answers import Answer
from gateway.domain.commands import Command, SettleDelivery
from gateway.domain.errors import Unavailable
from gateway.hints import Hints
from gateway.loops.anteroom import PLACES, Anteroom
from gateway.loops.gate import Gate
from gateway.loops.outbox import CannotWrite, Failure, Head, Lane, OutboxReads
from gateway.loops.post import NOT_CHARGED, Letter, Outcome, post
from gateway.loops.schedule import SCHEDULE, next_attempt_at

log = structlog.get_logger(__name__)

PARALLEL: Final = 128
"""Attempts in flight; how many of them to one endpoint is a matter of its gate."""
AGAIN: Final = 1.0
"""Seconds between two looks at what does not work just now."""
NOT_ITS_FAULT: Final = 60_000
"""Milliseconds until an attempt that failed through a fault of ours, or of our proxy, is made
again; the schedule stands still meanwhile."""
ANY: Final = ""
"""Where those wait who are let in by their gate, and for whom all places are taken."""
MANY_GATES: Final = 1_000
"""Of so many, those are forgotten that nothing goes through and nothing speaks against."""
SOON: Final = 0.25
"""Seconds until it looks what comes next, if nothing lands before."""
IDLE: Final = 60.0
"""Seconds; new deliveries are announced by a hint."""

Write = Callable[[Head], Awaitable[Letter | None]]
"""The letter of a delivery, None if its receiver gets none; raises `CannotWrite`."""
Submit = Callable[[Command], Awaitable[Answer]]


class Deliverer:
    """Starts attempts in the task group it is given: leaving the group waits for them."""

    name = "deliver"
    topics = ("deliveries",)

    def __init__(
        self,
        reads: OutboxReads,
        write: Write,
        submit: Submit,
        *,
        transport: httpx.AsyncBaseTransport,
        group: asyncio.TaskGroup,
        hints: Hints,
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
        self._hints = hints
        self._clock = clock
        self._random = random
        self._schedule = schedule
        self._is_stopping = is_stopping
        self._sleep = sleep
        self._flying: set[Lane] = set()
        self._unanswered: set[asyncio.Task[None]] = set()
        self._gates: dict[str, Gate] = {}
        self._anteroom = Anteroom()
        self._has_recalled = False
        self._is_busy = False

    async def step(self) -> float:
        """Starts what may be sent now; the seconds until the next one comes due."""
        if self._is_stopping():
            return IDLE
        now = self._clock()
        await self._mind_the_gates()
        # A lane that lands during the read is left to the next step: what was read may be older.
        flew = frozenset(self._flying)
        closed = self._closed(now)
        heads = await self._reads.due_deliveries(now, PARALLEL * 2, closed)
        was_busy, self._is_busy = self._is_busy, self._start(heads, flew, now)
        if was_busy and self._is_busy:
            return SOON  # what comes due meanwhile is found by one look less for each of these
        closed = self._closed(now)
        moments = [self._gates[endpoint].opens_at(now) for endpoint in closed]
        moments.append(await self._reads.next_delivery(now, closed))
        due = min((at for at in moments if at is not None), default=None)
        return IDLE if due is None else max(0.05, (due - self._clock()) / 1000)

    def _start(self, heads: Sequence[Head], flew: frozenset[Lane], now: int) -> bool:
        """Whether any of these may go now; they are under way."""
        has_started = False
        for head in sorted(heads, key=self._doubt):
            if self._may_go(head, flew, now):
                has_started = True
                self._flying.add(_lane(head))
                self._anteroom.enter(head.endpoint_id)
                self._group.create_task(self._fly(head))
        return has_started

    def abandon(self) -> None:
        """Gives up on receivers that have not answered yet: we stop, and cannot wait for them.

        Whether they took it is not known, so the delivery stays as it was, pending and due, and is
        sent again after the start, under the same `webhook-id`. What has been answered is settled.
        """
        for flight in self._unanswered:
            flight.cancel()

    async def _mind_the_gates(self) -> None:
        """Those that fail are known from the start; what somebody has changed is tried at once."""
        if not self._has_recalled:
            self._recall(await self._reads.failures())
            self._has_recalled = True
        if len(self._gates) > MANY_GATES:
            self._gates = {name: gate for name, gate in self._gates.items() if not gate.is_plain}
        tripped = [name for name, gate in self._gates.items() if gate.is_tripped]
        if tripped:
            for name, at in (await self._reads.changed_at(tripped)).items():
                gate = self._gates.get(name)
                if gate is not None and gate.is_tripped and at > gate.opened_at:
                    gate.reset()

    def _recall(self, failures: Sequence[Failure]) -> None:
        charged = [each for each in failures if each.reason not in NOT_CHARGED]
        for name, since in {each.endpoint_id: each.failing_since for each in charged}.items():
            gate = self._gates[name] = Gate()
            gate.recall([each.at for each in charged if each.endpoint_id == name], since)

    def _closed(self, now: int) -> list[str]:
        """The endpoints that nothing may go to just now; where nothing is known, there is room."""
        return [name for name in self._gates if not self._has_place(name, now)]

    def _has_place(self, endpoint_id: str, now: int) -> bool:
        """Whether one more may set off to it, if only to wait."""
        gate = self._gates.setdefault(endpoint_id, Gate())
        left = gate.room(now) - self._anteroom.number(endpoint_id)
        return left > -PLACES if gate.is_brisk else left > 0

    def _doubt(self, head: Head) -> int:
        """What probes an endpoint has not failed before, if there is such a thing: of what has, it
        may be the delivery's own fault, and it would keep the breaker open for everything."""
        gate = self._gates.get(head.endpoint_id)
        return head.failures if gate is not None and gate.is_tripped else 0

    def _may_go(self, head: Head, flew: frozenset[Lane], now: int) -> bool:
        if self._is_stopping() or len(self._flying) - self._anteroom.total() >= PARALLEL:
            return False
        if _lane(head) in self._flying or _lane(head) in flew:
            return False
        return self._has_place(head.endpoint_id, now)

    async def _fly(self, head: Head) -> None:
        try:
            await self._attempt(head)
        except Exception:
            # It stays pending and due; the pause keeps a broken one from spinning.
            log.exception("delivery.broken", endpoint=head.endpoint_id, seq=head.seq)
            await self._sleep(AGAIN)
        finally:
            self._land(head)

    async def _attempt(self, head: Head) -> None:
        try:
            written = await self._written(head)
            has_room = await self._has_room(head)
        finally:
            self._anteroom.leave(head.endpoint_id)
        if not has_room:
            return
        with self._passing(head):
            settlement = await self._sent(head, written)
        # Others go through the gate meanwhile: the receiver need not wait for our disk.
        await self._settle(settlement)
        if settlement.is_attempt:
            log.info(
                "delivery",
                endpoint=head.endpoint_id,
                task=head.task_id,
                seq=head.seq,
                attempt=settlement.attempts,
                status=settlement.status,
                http=settlement.http_status,
                reason=settlement.reason,
                duration_ms=settlement.duration_ms,
            )

    async def _written(self, head: Head) -> Letter | CannotWrite | None:
        try:
            return await self._write(head)
        except CannotWrite as error:
            log.warning("delivery.unwritten", endpoint=head.endpoint_id, detail=str(error))
            return error

    async def _has_room(self, head: Head) -> bool:
        """Takes its room in the gate, when it is there; False: it is not, or we stop."""
        while not self._is_stopping():
            now = self._clock()
            gate = self._gates.setdefault(head.endpoint_id, Gate())
            is_full = len(self._unanswered) >= PARALLEL
            if not is_full and gate.room(now) > 0:
                gate.start(now, head.rate_per_second)
                return True
            if not await self._anteroom.wait(ANY if is_full else head.endpoint_id):
                if not is_full:
                    gate.tire()
                return False
        return False

    async def _sent(self, head: Head, written: Letter | CannotWrite | None) -> SettleDelivery:
        at = self._clock()
        if written is None:
            return _unsent(head, at)
        if isinstance(written, CannotWrite):
            outcome = Outcome(status=None, reason=written.reason, duration_ms=0)
            self._tell_gate(head, outcome)
            return self._judge(head, None, outcome, at)
        outcome = await post(self._transport, written, clock=self._clock)
        self._tell_gate(head, outcome)
        return self._judge(head, written, outcome, at)

    @contextmanager
    def _passing(self, head: Head) -> Iterator[None]:
        """Has its room in the gate, and may be abandoned, until the receiver has answered; then
        the next one goes."""
        flight = asyncio.current_task()
        if flight is not None:
            self._unanswered.add(flight)
        try:
            yield
        finally:
            self._unanswered.discard(flight)
            gate = self._gates[head.endpoint_id]
            was_full = gate.room(self._clock()) <= 0
            gate.in_flight -= 1
            is_called = self._anteroom.call(ANY) or self._anteroom.call(head.endpoint_id)
            if not is_called and was_full:
                self._hints.tell(self.topics)

    async def _settle(self, settlement: SettleDelivery) -> None:
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

    def _tell_gate(self, head: Head, outcome: Outcome) -> None:
        gate = self._gates[head.endpoint_id]
        if outcome.is_success:
            if gate.is_tripped:
                log.info("endpoint.resumed", endpoint=head.endpoint_id)
            gate.succeed()
        elif outcome.is_charged and gate.fail(self._clock()):
            log.warning("endpoint.paused", endpoint=head.endpoint_id, reason=outcome.reason)

    def _judge(
        self, head: Head, letter: Letter | None, outcome: Outcome, at: int
    ) -> SettleDelivery:
        failures = head.failures
        due: int | None = None
        status = "delivered"
        if not outcome.is_success:
            failures += self._counts(head, outcome)
            due = self._next(head, failures, outcome)
            status = "dead" if due is None else "pending"
        return SettleDelivery(
            endpoint_id=head.endpoint_id,
            seq=head.seq,
            status=status,
            attempts=head.attempts + 1,
            failures=failures,
            trigger=head.trigger,
            next_attempt_at=due,
            body=letter.body.decode() if letter else head.body,
            at=at,
            http_status=outcome.status,
            reason=outcome.reason,
            duration_ms=outcome.duration_ms,
            key_id=letter.key_id if letter else None,
            answer=outcome.answer,
            is_charged=outcome.is_charged,
        )

    def _counts(self, head: Head, outcome: Outcome) -> bool:
        """While the breaker is open, what comes back says nothing of the delivery itself."""
        return outcome.is_charged and not self._gates[head.endpoint_id].is_tripped

    def _next(self, head: Head, failures: int, outcome: Outcome) -> int | None:
        now = self._clock()
        if not outcome.is_charged:
            return now + NOT_ITS_FAULT
        if not self._counts(head, outcome):
            return self._gates[head.endpoint_id].retry_at(now)
        return next_attempt_at(
            failures, now, self._random, outcome.retry_after, schedule=self._schedule
        )

    def _land(self, head: Head) -> None:
        """Its lane goes on: at the next look, which is not far while others wait."""
        self._flying.discard(_lane(head))
        if self._anteroom.number(head.endpoint_id) < PLACES // 3:
            self._hints.tell(self.topics)


def _unsent(head: Head, at: int) -> SettleDelivery:
    """An event that its receiver does not know, or need not hear of any more."""
    return SettleDelivery(
        endpoint_id=head.endpoint_id,
        seq=head.seq,
        status="superseded",
        attempts=head.attempts,
        failures=head.failures,
        next_attempt_at=None,
        body=None,
        at=at,
        http_status=None,
        reason=None,
        duration_ms=0,
        key_id=None,
        answer=None,
        is_attempt=False,
    )


def _lane(head: Head) -> Lane:
    return (head.endpoint_id, head.task_id)
