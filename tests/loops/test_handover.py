"""Deliveries that start without a read: handed over by a commit, or from the wait queue."""

import asyncio
from collections.abc import Callable, Sequence

import httpx
import pytest
from msgspec.structs import replace

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.loops.deliveries.limiter import (
    MOST_IN_FLIGHT,
)
from gateway.loops.deliveries.post import WebhookMessage
from gateway.store.ownership import ALONE, Ownership
from gateway.store.records import DueDeliveries, Head
from tests.loops.deliverer import (
    NOW,
    SECRET,
    Backlog,
    Outbox,
    SharedOwner,
    delivering,
)
from tests.loops.heads import Row


class Paced(httpx.AsyncBaseTransport):
    """Receivers that answer as often as they are allowed to."""

    def __init__(self, answers: int = 4) -> None:
        self.asked = 0
        self.answers = asyncio.Semaphore(answers)
        self.status = 204

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.answers.acquire()
        return httpx.Response(self.status, stream=httpx.ByteStream(b""))


class CountedReads(Backlog):
    """Counts how often it is read."""

    reads = 0

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        self.reads += 1
        return await super().due_deliveries(now, endpoint_ids)


async def turns(until: Callable[[], bool]) -> bool:
    """True once the condition holds; the event loop may turn a thousand times."""
    for _ in range(1_000):
        if until():
            return True
        await asyncio.sleep(0)
    return False


async def test_a_waiting_delivery_goes_when_another_is_answered_and_nothing_is_read_again() -> None:
    rows = [Row(seq=number, task_id=f"task_{number}") for number in range(60)]
    outbox, transport = CountedReads(rows), Paced()

    async def build(head: Head) -> WebhookMessage:
        return WebhookMessage(
            webhook_id=f"evt_{head.seq}", url="http://h.example/", secrets=(SECRET,), body=b"{}"
        )

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        deliverer = delivering(outbox, build, group, transport=transport)
        for settled in (2, 4):
            await deliverer.step()
            assert await turns(lambda: len(outbox.settled) == settled)  # noqa: B023
        await deliverer.step()
        assert await turns(lambda: transport.asked == 4 + MOST_IN_FLIGHT)
        reads = outbox.reads
        for answered in range(1, 4):
            transport.answers.release()
            assert await turns(lambda: transport.asked == 4 + MOST_IN_FLIGHT + answered)  # noqa: B023
        assert outbox.reads == reads
        for _ in rows:
            transport.answers.release()
    assert len(outbox.settled) == len(rows)


class LateRead(CountedReads):
    """A read that may take its time; it says if it has found all."""

    def __init__(self, heads: Sequence[Row]) -> None:
        super().__init__(heads)
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        found = await super().due_deliveries(now, endpoint_ids)
        if not self.may_answer.is_set():
            await self.may_answer.wait()
            found = await Outbox.due_deliveries(self, now, endpoint_ids)
        return {name: replace(each, is_all=len(each.heads) == 1) for name, each in found.items()}


class Committed:
    """Commits of events of one task, and the deliverer that follows them."""

    def __init__(
        self, group: asyncio.TaskGroup, *before: Row, ownership: Ownership = ALONE
    ) -> None:
        self.transport = Paced(0)
        self._heads = list(before)
        self.outbox = LateRead(self._heads)
        self._events = 0
        self.may_build = asyncio.Event()
        self.may_build.set()
        self.deliverer = delivering(
            self.outbox, self._build, group, transport=self.transport, ownership=ownership
        )

    async def _build(self, head: Head) -> WebhookMessage:
        await self.may_build.wait()
        return WebhookMessage(
            webhook_id=f"evt_{head.seq}", url="http://h.example/", secrets=(SECRET,), body=b"{}"
        )

    def release(self) -> None:
        """Another gateway makes an earlier delivery pending, which was held."""
        self._heads.insert(0, Row(seq=0))

    def take_elsewhere(self) -> None:
        """Another gateway has delivered everything."""
        self._heads.clear()

    def commit(
        self,
        *,
        is_disabled: bool = False,
        is_unreadable: bool = False,
        is_read_anew: bool = False,
    ) -> None:
        """One more event; the same commit may disable its endpoint after it, lack the event of the
        delivery, or be the first after a change by another gateway."""
        unit = UnitOfWork(policy=Policy(key_id="k1"), seq=self._events)
        self._events += 1
        endpoint = Endpoint(id="ep_1", project="default", origin="http://h.example")
        unit.outbox.directory.put(endpoint)
        unit.outbox.is_read_anew = is_read_anew
        event = Event(
            task_id="task_1",
            task_seq=self._events + 1,
            attempt=1,
            type="task.started",
            at=NOW,
            source="agent",
            data=b"{}",
        )
        if not is_unreadable:
            unit.events.put(event)
        unit.deliveries.enqueue(event, [endpoint], NOW)
        if is_disabled:
            unit.outbox.put_endpoint(replace(endpoint, enabled=False))
        self._heads.append(Row(seq=self._events))
        self.deliverer.follow(unit)

    async def answer(self) -> None:
        """The receiver takes one."""
        settled = len(self.outbox.settled)
        self.transport.answers.release()
        assert await turns(lambda: len(self.outbox.settled) > settled)
        await asyncio.sleep(0)

    @property
    def sent(self) -> list[int]:
        return [each.seq for each in self.outbox.settled]


async def test_an_endpoint_of_which_all_is_under_way_is_not_read_again() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group, Row(seq=0))
        await committed.deliverer.step()
        assert await turns(lambda: committed.transport.asked == 1)
        await committed.answer()
        committed.commit()
        assert await turns(lambda: committed.transport.asked == 2)
        await committed.answer()
    assert committed.outbox.reads == 1


async def test_what_waits_for_a_lane_that_is_released_during_the_read_is_not_overtaken() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group, Row(seq=0))
        await committed.deliverer.step()
        assert await turns(lambda: committed.transport.asked == 1)
        committed.commit()
        committed.outbox.may_answer.clear()
        reading = group.create_task(committed.deliverer.step())
        assert await turns(lambda: committed.outbox.reads == 2)
        await committed.answer()
        committed.outbox.may_answer.set()
        await reading
        committed.commit()
        assert not await turns(lambda: committed.transport.asked > 1)
        for number in (2, 3):
            await committed.deliverer.step()
            assert await turns(lambda: committed.transport.asked == number)  # noqa: B023
            await committed.answer()
    assert committed.sent == [0, 1, 2]


async def test_what_was_just_committed_is_sent_and_nothing_is_read() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group)
        await committed.deliverer.step()
        for number in range(3):
            committed.commit()
            assert await turns(lambda: committed.transport.asked == number + 1)  # noqa: B023
            await committed.answer()
    assert committed.sent == [1, 2, 3]
    assert committed.outbox.reads == 0


async def test_an_endpoint_that_the_same_commit_disables_is_sent_nothing() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group)
        await committed.deliverer.step()
        committed.commit(is_disabled=True)
        assert not await turns(lambda: committed.transport.asked > 0)
        committed.transport.answers.release()
    assert committed.outbox.reads == 0


async def test_an_event_does_not_overtake_one_whose_hand_over_has_failed() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group)
        await committed.deliverer.step()
        with pytest.raises(KeyError):
            committed.commit(is_unreadable=True)
        committed.commit()
        assert not await turns(lambda: committed.transport.asked > 0)
        for number in (1, 2):
            await committed.deliverer.step()
            assert await turns(lambda: committed.transport.asked == number)  # noqa: B023
            await committed.answer()
    assert committed.sent == [1, 2]


async def test_an_event_waits_for_the_one_before_it_in_its_lane() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group)
        await committed.deliverer.step()
        committed.commit()
        committed.commit()
        assert await turns(lambda: committed.transport.asked == 1)
        await committed.answer()
        committed.commit()
        assert committed.transport.asked == 1
        for number in (2, 3):
            await committed.deliverer.step()
            assert await turns(lambda: committed.transport.asked == number)  # noqa: B023
            await committed.answer()
    assert committed.sent == [1, 2, 3]


async def test_an_event_does_not_overtake_one_that_has_just_failed() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group)
        await committed.deliverer.step()
        committed.commit()
        committed.transport.status = 500
        await committed.answer()
        committed.commit()
        assert not await turns(lambda: committed.transport.asked > 1)
    assert [each.status for each in committed.outbox.settled] == ["pending"]


async def test_what_was_just_committed_does_not_overtake_what_was_there_before_the_start() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group, Row(seq=0))
        committed.commit()
        await turns(lambda: False)
        assert committed.transport.asked == 0
        for number in range(2):
            await committed.deliverer.step()
            assert await turns(lambda: committed.transport.asked == number + 1)  # noqa: B023
            await committed.answer()
    assert committed.sent == [0, 1]


async def test_what_another_gateway_left_of_an_endpoint_is_not_overtaken_by_a_commit() -> None:
    owner = SharedOwner()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group, Row(seq=0), ownership=owner)
        await committed.deliverer.step()
        owner.pass_on()
        committed.commit()
        assert not await turns(lambda: committed.transport.asked > 0)
        for number in (1, 2):
            await committed.deliverer.step()
            assert await turns(lambda: committed.transport.asked == number)  # noqa: B023
            await committed.answer()
    assert committed.sent == [0, 1]


async def test_what_another_gateway_has_released_is_not_overtaken_by_the_next_commit() -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group)
        await committed.deliverer.step()
        committed.release()
        committed.commit(is_read_anew=True)
        assert not await turns(lambda: committed.transport.asked > 0)
        for number in (1, 2):
            await committed.deliverer.step()
            assert await turns(lambda: committed.transport.asked == number)  # noqa: B023
            await committed.answer()
        committed.commit()
        assert await turns(lambda: committed.transport.asked == 3), "from memory again"
        await committed.answer()
    assert committed.sent == [0, 1, 2]


async def test_a_commit_whose_answer_was_late_is_read_for_another_may_have_sent_it() -> None:
    owner = SharedOwner()
    owner.pass_on()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group, ownership=owner)
        await committed.deliverer.step()
        owner.is_unchanged = False
        committed.commit()
        assert not await turns(lambda: committed.transport.asked > 0)
        committed.take_elsewhere()
        await committed.deliverer.step()
        assert not await turns(lambda: committed.transport.asked > 0)
        owner.is_unchanged = True
        committed.commit()
        assert await turns(lambda: committed.transport.asked > 0), "the next one from memory again"
        await committed.answer()
    assert committed.sent == [2]


async def test_nothing_is_sent_to_an_endpoint_that_has_gone_to_another_gateway() -> None:
    owner = SharedOwner()
    owner.pass_on()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        committed = Committed(group, Row(seq=0), ownership=owner)
        committed.may_build.clear()
        await committed.deliverer.step()
        assert committed.deliverer.busy_endpoints == {"ep_1"}
        owner.pass_on()
        committed.may_build.set()
        assert await turns(lambda: not committed.deliverer.busy_endpoints)
    assert (committed.transport.asked, committed.sent) == (0, [])
