"""The deliverer: sends the outbox, lane by lane."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal, Protocol

import httpx
import structlog

from gateway.domain.answers import Answer
from gateway.domain.commands import Command, SettleDelivery
from gateway.domain.errors import Unavailable
from gateway.hints import Hints
from gateway.loops.gate import Gate
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
IDLE: Final = 60.0
"""Seconds; new deliveries are announced by a hint."""

Lane = tuple[str, str]
"""(endpoint, task): its deliveries are offered one after the other."""


class Head(Protocol):
    """The delivery that a lane may send now."""

    @property
    def endpoint_id(self) -> str:
        """To whom."""

    @property
    def seq(self) -> int:
        """The number of the event."""

    @property
    def task_id(self) -> str:
        """Whose event it is."""

    @property
    def attempts(self) -> int:
        """How many were made so far."""

    @property
    def failures(self) -> int:
        """The place in the schedule."""

    @property
    def trigger(self) -> Literal["auto", "manual", "replay"]:
        """What the next attempt is owed to."""

    @property
    def body(self) -> str | None:
        """What was sent the first time; None before that."""

    @property
    def rate_per_second(self) -> float | None:
        """How many its endpoint wants at most; None: it does not say."""


class Failure(Protocol):
    """An attempt that came to nothing; moments in milliseconds."""

    @property
    def endpoint_id(self) -> str:
        """Whose it was."""

    @property
    def failing_since(self) -> int:
        """When the first one failed since one succeeded."""

    @property
    def at(self) -> int:
        """When it was made."""

    @property
    def reason(self) -> str:
        """A stable word."""


class OutboxReads(Protocol):
    """What the deliverer reads of the store."""

    async def due_deliveries(
        self, now: int, limit: int, closed: Sequence[str] = ()
    ) -> Sequence[Head]:
        """Heads of lanes that may be sent now to all but these endpoints, the longest due first."""

    async def next_delivery(self, now: int, closed: Sequence[str] = ()) -> int | None:
        """When the next one to another endpoint than these comes due (milliseconds)."""

    async def failures(self) -> Sequence[Failure]:
        """The last ones of the endpoints to which nothing got through since, oldest first."""

    async def changed_at(self, endpoint_ids: Sequence[str]) -> Mapping[str, int]:
        """When somebody last changed each of these endpoints (milliseconds)."""


class CannotWrite(Exception):
    """A delivery has no letter: its address or its secret cannot be read."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason: Final = reason
        """A stable word."""


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
        self._has_recalled = False

    async def step(self) -> float:
        """Starts what may be sent now; the seconds until the next one comes due."""
        if self._is_stopping():
            return IDLE
        now = self._clock()
        await self._mind_the_gates()
        # A lane that lands during the read is left to the next step: what was read may be older.
        flew = frozenset(self._flying)
        closed = self._closed(now)
        heads, following = await asyncio.gather(  # without a way to the loop in between
            self._reads.due_deliveries(now, PARALLEL * 2, closed),
            self._reads.next_delivery(now, closed),
        )
        for head in sorted(heads, key=self._doubt):
            if self._may_go(head, flew, now):
                self._flying.add(_lane(head))
                self._gates[head.endpoint_id].start(now, head.rate_per_second)
                self._group.create_task(self._fly(head))
        moments = [self._gates[endpoint].opens_at(now) for endpoint in self._closed(now)]
        moments.append(following)
        due = min((at for at in moments if at is not None), default=None)
        return IDLE if due is None else max(0.05, (due - self._clock()) / 1000)

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
        return [name for name, gate in self._gates.items() if gate.room(now) <= 0]

    def _doubt(self, head: Head) -> int:
        """What probes an endpoint has not failed before, if there is such a thing: of what has, it
        may be the delivery's own fault, and it would keep the breaker open for everything."""
        gate = self._gates.get(head.endpoint_id)
        return head.failures if gate is not None and gate.is_tripped else 0

    def _may_go(self, head: Head, flew: frozenset[Lane], now: int) -> bool:
        if self._is_stopping() or len(self._flying) >= PARALLEL:
            return False
        if _lane(head) in self._flying or _lane(head) in flew:
            return False
        return self._gates.setdefault(head.endpoint_id, Gate()).room(now) > 0

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
        with self._passing(head):
            settlement = await self._sent(head)
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

    async def _sent(self, head: Head) -> SettleDelivery:
        at = self._clock()
        letter: Letter | None = None
        try:
            letter = await self._write(head)
        except CannotWrite as error:
            log.warning("delivery.unwritten", endpoint=head.endpoint_id, detail=str(error))
            outcome = Outcome(status=None, reason=error.reason, duration_ms=0)
        else:
            if letter is None:
                return _unsent(head, at)
            outcome = await post(self._transport, letter, clock=self._clock)
        self._tell_gate(head, outcome)
        return self._judge(head, letter, outcome, at)

    @contextmanager
    def _passing(self, head: Head) -> Iterator[None]:
        """Takes its room in the gate, and may be abandoned, until the receiver has answered."""
        flight = asyncio.current_task()
        if flight is not None:
            self._unanswered.add(flight)
        try:
            yield
        finally:
            self._unanswered.discard(flight)
            gate = self._gates[head.endpoint_id]
            gate.in_flight -= 1
            if gate.is_plain:
                del self._gates[head.endpoint_id]
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
        self._flying.discard(_lane(head))
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
