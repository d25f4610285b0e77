"""The deliverer: decides which deliveries of the outbox may start, lane by lane."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Final

import structlog

from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.switches import Switches
from gateway.loops.deliveries.admission import Limits, Slot
from gateway.loops.deliveries.attempt import AttemptRunner
from gateway.loops.deliveries.discovery import Discovery
from gateway.loops.deliveries.due_queue import DueQueue, Queue
from gateway.loops.deliveries.handover import NewLaneHead, new_heads
from gateway.loops.deliveries.schedule import Timing
from gateway.loops.deliveries.settlement import NOT_ITS_FAULT
from gateway.loops.deliveries.wait_queue import PLACES, WaitQueue
from gateway.notifier import Notifier
from gateway.store.loop_reads import DelivererReads
from gateway.store.ownership import ALONE, Ownership
from gateway.store.records import DueDeliveries, Head, Lane

log = structlog.get_logger(__name__)

PER_STEP: Final = 32
"""Endpoints whose deliveries one step reads."""
SOONEST: Final = 0.05
"""Seconds until the next step for what comes due by itself."""
IDLE: Final = 60.0
"""Seconds; new deliveries are announced by a notification."""


class Deliverer:
    """Starts attempts in the task group; leaving the group waits for them."""

    name = "deliver"
    topics = ("deliveries", Discovery.topic)

    def __init__(
        self,
        reads: DelivererReads,
        attempts: AttemptRunner,
        *,
        limits: Limits,
        timing: Timing,
        notifier: Notifier,
        group: asyncio.TaskGroup,
        ownership: Ownership = ALONE,
    ) -> None:
        self._reads = reads
        self._attempts = attempts
        self._limits = limits
        self._timing = timing
        self._notifier = notifier
        self._group = group
        self._due = DueQueue()
        self._ownership = ownership
        self._discovery = Discovery(reads, notifier, limits, self._due, ownership)
        self._busy: dict[Lane, int] = {}
        """Lanes with an attempt, and the event that it sends."""
        self._released: set[Lane] | None = None
        """Lanes whose attempt has ended during the read: its rows may be older."""
        self._has_more = False
        """Another step goes on where the last one ended."""
        self._is_blocked = False
        """Something is due that waits for any slot."""
        self._has_read_switches = False

    async def step(self) -> float:
        """Start what may be sent now; returns the seconds until the next delivery comes due."""
        if self._timing.is_stopping():
            return IDLE
        now = self._timing.clock()
        if not self._has_read_switches:
            await self._read_switches(now)
        self._has_more = await self._discovery.refresh(now)
        wanted = self._choose(now)
        self._released = set() if wanted else None
        if wanted:
            read = self._discovery.begin_read()
            due = await self._read(now, wanted)
            self._start([each.heads for each in due.values()], now)
            for endpoint_id, each in due.items():
                if each.next_at is not None:
                    self._discovery.add(wanted[endpoint_id], endpoint_id, each.next_at)
                elif each.is_all:
                    self._discovery.clear(endpoint_id, read)
            self._released = None
        return self._pause(now)

    def follow(self, unit: UnitOfWork) -> None:
        """Start the new deliveries of a commit that may go at once; the others are read."""
        if unit.switches.is_changed or unit.outbox.is_read_anew:
            self._limits.switches = unit.switches
        if unit.outbox.is_read_anew:  # what an endpoint has held may be pending now
            self._discovery.invalidate()
        for update in unit.outbox.delivery_updates:
            self._discovery.mark(update.endpoint_id)
        for endpoint in unit.outbox.changed_endpoints.values():
            if endpoint.holds:  # also what was enqueued before, in the same commit
                self._discovery.mark(endpoint.id)
        try:
            left = [
                head
                for head in new_heads(unit)
                if self._ownership.owns(head.endpoint_id) and not self._starts_at_once(head)
            ]
        except Exception:
            # Later events of their lanes must not overtake those that were not handed over.
            for new in unit.deliveries.new:
                self._discovery.mark(new.endpoint_id)
            raise
        for head in left:
            self._discovery.add(head.project, head.endpoint_id, head.due_at)
        if left:
            self._notifier.notify(self.topics[:1])

    def receive(self, topics: Collection[str], due: Mapping[str, str]) -> None:
        """Look at what another gateway has committed: deliveries to endpoints, each with its
        project, and whatever it says has changed."""
        now = self._timing.clock()
        for endpoint_id, project in due.items():
            if self._ownership.owns(endpoint_id):
                self._discovery.add(project, endpoint_id, now)
        if Discovery.topic in topics:  # also the switches, then
            self._has_read_switches = False
        self._notifier.notify((*topics, *self.topics[:1]) if due else topics)

    def catch_up(self) -> None:
        """Look at everything: notifications of other gateways may have been missed."""
        self._has_read_switches = False
        self._notifier.notify_all()

    @property
    def busy_endpoints(self) -> Collection[str]:
        """Endpoints with attempts in flight."""
        return {endpoint_id for endpoint_id, _ in self._busy}

    def _starts_at_once(self, head: Head) -> bool:
        now = self._timing.clock()
        if self._timing.is_stopping() or self._is_blocked or head.due_at > now:
            return False
        if not self._ownership.is_unchanged:
            return False
        # Another gateway may have committed an earlier delivery of the lane; not of a new one.
        if not (self._ownership.is_informed or isinstance(head, NewLaneHead)):
            return False
        return (
            self._discovery.is_clear(head.endpoint_id)
            and _lane(head) not in self._busy
            and self._begin(head, now)
        )

    def _choose(self, now: int) -> dict[str, str]:
        """The endpoints of this step, each with its project: one of each queue in turn, the longest
        due first."""
        chosen: dict[str, str] = {}
        full: dict[str, str] = {}
        left = {queue: self._left(queue) for queue in self._queues(now)}
        turns = deque(queue for queue, slots in left.items() if slots > 0)
        self._is_blocked = len(turns) < len(left)
        while turns and len(chosen) < PER_STEP:
            queue = turns.popleft()
            endpoint_id = self._due.pop(queue, now)
            if endpoint_id is None:
                continue
            if not self._ownership.owns(endpoint_id):
                turns.append(queue)
                continue
            if self._limits.endpoint(endpoint_id).has_place(now):
                chosen[endpoint_id] = queue[0]
                left[queue] -= 1
            else:
                full[endpoint_id] = queue[0]
            if left[queue] > 0:
                turns.append(queue)
            else:
                self._is_blocked = True
        for endpoint_id, project in full.items():  # in the loop it could come due again, for ever
            self._postpone(project, endpoint_id, now)
        self._has_more = self._has_more or len(chosen) == PER_STEP
        return chosen

    async def _read(self, now: int, wanted: dict[str, str]) -> dict[str, DueDeliveries]:
        """The due deliveries of these endpoints. An endpoint whose rows cannot be read is left
        alone for a while, and holds up no other."""
        try:
            return dict(await self._reads.due_deliveries(now, list(wanted)))
        except Unavailable:
            self._add_all(wanted, now)
            raise
        except Exception:
            if len(wanted) > 1:
                found = [await self._read(now, {name: wanted[name]}) for name in wanted]
                return {name: due for each in found for name, due in each.items()}
            log.exception("endpoint.unreadable", endpoint=next(iter(wanted)))
            self._add_all(wanted, now + NOT_ITS_FAULT)
            return {}

    def _start(self, heads: Iterable[Sequence[Head]], now: int) -> None:
        """Start what may go; the first of each endpoint before the second of any."""
        ordered = [sorted(each, key=self._probe_order) for each in heads]
        for head in (head for rank in zip_longest(*ordered) for head in rank if head is not None):
            lane = _lane(head)
            if self._timing.is_stopping() or self._busy.get(lane) == head.seq:
                continue
            if lane in self._busy or lane in (self._released or ()):
                self._discovery.mark(head.endpoint_id)  # left to the next step
            elif not self._begin(head, now):
                self._postpone(head.project, head.endpoint_id, now)

    def _begin(self, head: Head, now: int) -> bool:
        """Start an attempt; False if the limits do not admit it, or it is another gateway's."""
        owned = self._ownership.owns(head.endpoint_id)
        place = self._limits.admit(head, now) if owned else None
        if place is None:
            return False
        self._busy[_lane(head)] = head.seq
        self._group.create_task(self._run(head, place))
        return True

    def _probe_order(self, head: Head) -> int:
        """Sort key. Probe a half-open endpoint with the delivery that has failed least: a poison
        message would keep the breaker open for all."""
        return head.failures if self._limits.endpoint(head.endpoint_id).breaker_open else 0

    async def _run(self, head: Head, place: Slot | WaitQueue) -> None:
        is_over = False
        try:
            is_over = await self._attempts.run(head, place, freed=self._freed)
        finally:
            self._release_lane(head, is_over=is_over)

    def _release_lane(self, head: Head, *, is_over: bool) -> None:
        """The lane goes on at the next step, which is not far while others wait."""
        self._busy.pop(_lane(head), None)
        if self._released is not None:
            self._released.add(_lane(head))
        if not is_over:
            self._discovery.mark(head.endpoint_id)
        if self._discovery.is_clear(head.endpoint_id):
            return
        self._discovery.look_again(head.project, head.endpoint_id, self._timing.clock())
        if len(self._limits.endpoint(head.endpoint_id).queue) < PLACES // 3:
            self._notifier.notify(self.topics[:1])

    def _freed(self, slot: Slot) -> None:
        """The next delivery that waits for the endpoint goes on; if none does, look for others."""
        now = self._timing.clock()
        was_full = self._limits.endpoint(slot.endpoint_id).available(now) <= 0
        self._limits.finish(slot)
        if self._limits.call_next(slot, now):
            return
        if was_full:
            self._discovery.look_again(slot.project, slot.endpoint_id, now)
        if was_full or self._is_blocked:
            self._notifier.notify(self.topics[:1])

    async def _read_switches(self, now: int) -> None:
        """Read the pauses, at the start and when another gateway may have changed them; commits of
        this one hand their changes over."""
        known, self._has_read_switches = self._limits.switches, True
        found = Switches()
        try:
            found.load(await self._reads.pauses(now))
        except BaseException:
            self._has_read_switches = False
            raise
        if self._limits.switches is known:  # a commit during the read knows more
            self._limits.switches = found

    def _queues(self, now: int) -> list[Queue]:
        """The queues that are not empty, of projects whose deliveries are not paused."""
        limits = self._limits
        return [queue for queue in self._due.queues() if not limits.is_paused(queue[0], now)]

    def _left(self, queue: Queue) -> int:
        return self._limits.left(queue[0], is_proven=queue[1])

    def _postpone(self, project: str, endpoint_id: str, now: int) -> None:
        """Look at it when it takes more, or when an attempt to it ends."""
        self._discovery.mark(endpoint_id)
        at = self._limits.opens_at(project, endpoint_id, now)
        if at is not None:
            self._discovery.look_again(project, endpoint_id, at)

    def _add_all(self, wanted: dict[str, str], at: int) -> None:
        for endpoint_id, project in wanted.items():
            self._discovery.add(project, endpoint_id, at)

    def _pause(self, now: int) -> float:
        """Seconds until something comes due that may start, if no attempt ends before."""
        if self._has_more:
            return 0.0
        queues = (queue for queue in self._queues(now) if self._left(queue) > 0)
        ends = (pause.ends_at for pause in (self._limits.switches or {}).values())
        times = [at for at in map(self._due.next_at, queues) if at is not None]
        times += [at for at in ends if at is not None and at > now]
        return max(SOONEST, (min(times) - now) / 1000) if times else IDLE


def _lane(head: Head) -> Lane:
    return (head.endpoint_id, head.task_id)
