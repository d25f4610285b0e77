"""The deliverer against a real receiver over a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs

from gateway.domain.deliveries.delivery import NO_REPEAT, REPEAT, REPEATING
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.answers import Accepted, Answer
from gateway.domain.kernel.commands import SettleDelivery
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.loops.deliveries.admission import FIRST_UNPROVEN, PARALLEL, Limits
from gateway.loops.deliveries.attempt import AttemptRunner
from gateway.loops.deliveries.deliver import Deliverer
from gateway.loops.deliveries.limiter import (
    BREAKER_FAILURES,
    FIRST_IN_FLIGHT,
    FIRST_PAUSE,
    MOST_IN_FLIGHT,
)
from gateway.loops.deliveries.message_builder import Build, CannotBuild
from gateway.loops.deliveries.post import WebhookMessage, sender
from gateway.loops.deliveries.schedule import SCHEDULE, Timing
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from gateway.notifier import Notifier
from gateway.store.records import DeliveryFailure, DueDeliveries, Head, PendingEndpoint
from gateway.wire.signing import secret_text
from tests.loops.heads import Row

SECRET = b"s" * 32
NOW = 1_790_000_000_000


@dataclass
class Receiver:
    """Answers every request with one canned answer, and keeps what it got."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        exact = dict(line.split(": ", 1) for line in lines if line)
        headers["webhook-signature"] = exact.get("webhook-signature", "")
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[str]:
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?secret=1"


class Outbox:
    """Heads that are due, and what became of them."""

    def __init__(self, heads: Sequence[Row]) -> None:
        self.heads = heads
        self.settled: list[SettleDelivery] = []
        self.past: list[DeliveryFailure] = []
        self.changed = 0

    def pending(self) -> Sequence[Row]:
        return self.heads

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        return {
            name: DueDeliveries(
                heads=tuple(each for each in self.pending() if each.endpoint_id == name)
            )
            for name in endpoint_ids
        }

    async def pending_endpoints(self, after: str, limit: int) -> Sequence[PendingEndpoint]:
        projects = {each.endpoint_id: each.project for each in self.pending()}
        return [
            PendingEndpoint(endpoint_id=name, project=projects[name], at=NOW)
            for name in sorted(projects)
            if name > after
        ][:limit]

    async def failures(self) -> Sequence[DeliveryFailure]:
        return self.past

    async def changed_at(self, endpoint_ids: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(endpoint_ids, self.changed)

    async def submit(self, command: Command) -> Answer:
        assert isinstance(command, SettleDelivery)
        self.settled.append(command)
        return Accepted()


class SlowRead(Outbox):
    """From the second look on it answers only when what flew has landed: its answer is old."""

    def __init__(self, heads: Sequence[Row], landed: Callable[[], Awaitable[bool]]) -> None:
        super().__init__(heads)
        self._landed = landed
        self._looks = 0

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        self._looks += 1
        if self._looks > 1:
            await self._landed()
        return await super().due_deliveries(now, endpoint_ids)


def delivering(
    outbox: Outbox,
    build: Build,
    group: asyncio.TaskGroup,
    *,
    transport: httpx.AsyncBaseTransport,
    notifier: Notifier | None = None,
    clock: Callable[[], int] = lambda: NOW,
    is_stopping: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Deliverer:
    timing = Timing(clock=clock, random=lambda: 0.5, is_stopping=is_stopping, sleep=sleep)
    send, notifier = sender(transport, clock), notifier or Notifier()
    limits = Limits()
    attempts = AttemptRunner(build, send, outbox.submit, limits=limits, timing=timing)
    return Deliverer(outbox, attempts, limits=limits, timing=timing, notifier=notifier, group=group)


async def deliver(
    url: str | None, *heads: Row, allow_private: bool = True, now: int = NOW
) -> list[SettleDelivery]:
    async def build(head: Head) -> WebhookMessage:
        assert isinstance(head, Row)
        if url is None:
            raise CannotBuild("no_address", "The task has no callback address.")
        body = head.body.encode() if head.body else b'{"type":"task.started"}'
        return WebhookMessage(
            webhook_id=f"evt_{head.seq}",
            url=url,
            secrets=(SECRET,),
            body=body,
            is_late=head.failures >= 3,
        )

    outbox = Outbox(heads)
    async with (
        PinnedTransport(Guard(allow_private=allow_private)) as transport,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):
        await delivering(outbox, build, group, transport=transport, clock=lambda: now).step()
    return outbox.settled


async def test_a_receiver_gets_a_signature_the_reference_library_accepts() -> None:
    receiver = Receiver()
    async with listening(receiver) as url:
        now = int(time.time()) * 1000  # the library holds it against its own clock
        (settled,) = await deliver(url, Row(), now=now)
    ((headers, body),) = receiver.requests
    Webhook(secret_text(SECRET)).verify(body, headers)
    assert headers["webhook-id"] == "evt_1"
    assert headers["webhook-timestamp"] == str(now // 1000)
    assert (settled.status, settled.http_status, settled.attempts) == ("delivered", 204, 1)


async def test_a_body_that_was_sent_before_is_sent_byte_for_byte_again() -> None:
    receiver = Receiver()
    async with listening(receiver) as url:
        (settled,) = await deliver(url, Row(body='{"kept": 1}', attempts=3, failures=3))
    ((headers, body),) = receiver.requests
    assert body == b'{"kept": 1}'
    assert headers["slipgate-late"] == "true"
    assert settled.body == '{"kept": 1}'


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Broken\r\nconnection: close\r\ncontent-length: 4\r\n\r\noops",
        b"HTTP/1.1 302 Found\r\nlocation: /else\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["500", "redirect", "not http"],
)
async def test_anything_but_2xx_is_tried_again(answer: bytes) -> None:
    receiver = Receiver(answer=answer)
    async with listening(receiver) as url:
        (settled,) = await deliver(url, Row())
    assert len(receiver.requests) == 1
    assert settled.status == "pending"
    assert settled.next_attempt_at == NOW + SCHEDULE[1]
    assert "secret" not in (settled.reason or "")


async def test_what_is_to_be_repeated_is_due_again_once_it_has_arrived() -> None:
    async with listening(Receiver()) as url:
        (first,) = await deliver(url, Row(repeats=REPEAT))
        (again,) = await deliver(url, Row(attempts=1, repeats=REPEATING))
    assert (first.status, first.next_attempt_at) == ("pending", NOW + 10_000)
    assert (first.failures, first.repeats) == (0, REPEATING)
    assert (again.status, again.next_attempt_at, again.repeats) == ("delivered", None, NO_REPEAT)


async def test_a_repetition_that_fails_leaves_it_delivered() -> None:
    answer = b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n"
    async with listening(Receiver(answer=answer)) as url:
        (first,) = await deliver(url, Row(repeats=REPEAT))
        (again,) = await deliver(url, Row(attempts=2, repeats=REPEATING))
    assert (first.status, first.repeats) == ("pending", REPEAT)
    assert (again.status, again.next_attempt_at) == ("delivered", None)


async def test_retry_after_of_a_503_moves_the_next_attempt() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n"
    async with listening(Receiver(answer=answer)) as url:
        (settled,) = await deliver(url, Row())
    assert settled.next_attempt_at == NOW + 90_000


async def test_the_tenth_failure_is_the_last() -> None:
    answer = b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n"
    async with listening(Receiver(answer=answer)) as url:
        (settled,) = await deliver(url, Row(attempts=9, failures=9))
    assert (settled.status, settled.next_attempt_at) == ("dead", None)


async def test_a_private_address_is_refused_and_said_so() -> None:
    receiver = Receiver()
    async with listening(receiver) as url:
        (settled,) = await deliver(url, Row(), allow_private=False)
    assert receiver.requests == []
    assert settled.status == "pending"
    assert settled.reason == "blocked"


async def test_a_delivery_without_a_letter_is_settled_with_the_reason() -> None:
    (settled,) = await deliver(None, Row())
    assert (settled.status, settled.reason) == ("pending", "no_address")


async def test_one_lane_sends_one_letter_at_a_time_and_others_go_beside_it() -> None:
    receiver = Receiver()
    async with listening(receiver) as url:
        settled = await deliver(url, Row(seq=1), Row(seq=2), Row(seq=3, task_id="task_2"))
    assert sorted(row.seq for row in settled) == [1, 3]


async def test_what_landed_while_the_outbox_was_read_is_not_sent_again() -> None:
    receiver = Receiver()
    notifier = Notifier()
    async with (
        listening(receiver) as url,
        PinnedTransport(Guard(allow_private=True)) as transport,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):

        async def build(head: Head) -> WebhookMessage:
            return WebhookMessage(webhook_id="evt_1", url=url, secrets=(SECRET,), body=b"{}")

        with notifier.listen("deliveries") as landing:
            outbox = SlowRead([Row()], lambda: landing.wait(60))
            deliverer = delivering(outbox, build, group, transport=transport, notifier=notifier)
            await deliverer.step()
            await deliverer.step()
    assert len(receiver.requests) == 1


class FullDisk(Outbox):
    """Cannot commit the first few times."""

    def __init__(self, heads: Sequence[Row], refusals: int) -> None:
        super().__init__(heads)
        self.refusals = refusals

    async def submit(self, command: Command) -> Answer:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("The disk is full.")
        return await super().submit(command)


@pytest.mark.parametrize(
    ("is_stopping", "settled", "pauses"),
    [(False, 1, 5), (True, 0, 2)],
    ids=["goes on", "stops"],
)
async def test_a_letter_is_sent_once_however_long_its_outcome_cannot_be_committed(
    is_stopping: bool, settled: int, pauses: int
) -> None:
    receiver = Receiver()
    outbox = FullDisk([Row()], refusals=5)
    slept: list[float] = []

    stopping = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if is_stopping:
            stopping.set()

    async with (
        listening(receiver) as url,
        PinnedTransport(Guard(allow_private=True)) as transport,
        asyncio.timeout(60),
    ):

        async def build(head: Head) -> WebhookMessage:
            return WebhookMessage(webhook_id="evt_1", url=url, secrets=(SECRET,), body=b"{}")

        async with asyncio.TaskGroup() as group:
            deliverer = delivering(
                outbox, build, group, transport=transport, is_stopping=stopping.is_set, sleep=sleep
            )
            await deliverer.step()
            await deliverer.step()
    assert len(receiver.requests) == 1
    assert len(outbox.settled) == settled
    assert len(slept) == pauses


class Backlog(Outbox):
    """Settled deliveries are no longer due."""

    def pending(self) -> Sequence[Row]:
        done = {(each.endpoint_id, each.seq) for each in self.settled}
        return [each for each in self.heads if (each.endpoint_id, each.seq) not in done]


async def broken(outbox: Outbox) -> None:
    """Every delivery raises what nobody expected."""

    async def build(head: Head) -> WebhookMessage:
        raise UnicodeError("label empty or too long")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        await delivering(outbox, build, group, transport=Hanging()).step()


async def test_a_delivery_that_raises_is_an_attempt_that_failed_and_ends_dead() -> None:
    outbox = Outbox([Row(), Row(endpoint_id="ep_2", seq=2, attempts=9, failures=9)])
    with capture_logs() as lines:
        await broken(outbox)
    first, last = sorted(outbox.settled, key=lambda each: each.seq)
    assert (first.status, first.reason, first.next_attempt_at) == (
        "pending",
        "broken",
        NOW + SCHEDULE[1],
    )
    assert (last.status, last.reason, last.is_charged) == ("dead", "broken", False)
    assert [line["event"] for line in lines] == ["delivery", "delivery"]


class PickyLedger(Outbox):
    """Writes down no attempts, or nothing at all."""

    def __init__(self, heads: Sequence[Row], *, takes_bare: bool) -> None:
        super().__init__(heads)
        self._takes_bare = takes_bare
        self.refused = 0

    async def submit(self, command: Command) -> Answer:
        assert isinstance(command, SettleDelivery)
        if command.is_attempt or not self._takes_bare:
            self.refused += 1
            raise ValueError("UNIQUE constraint failed")
        return await super().submit(command)


async def test_an_attempt_that_cannot_be_written_down_moves_on_its_schedule_all_the_same() -> None:
    outbox = PickyLedger([Row()], takes_bare=True)
    await broken(outbox)
    (settled,) = outbox.settled
    assert (settled.status, settled.next_attempt_at) == ("pending", NOW + SCHEDULE[1])


async def test_an_endpoint_whose_outcomes_cannot_be_written_down_pauses() -> None:
    outbox = PickyLedger([Row()], takes_bare=False)

    async def build(head: Head) -> WebhookMessage:
        raise UnicodeError("label empty or too long")

    async with asyncio.timeout(60):
        async with asyncio.TaskGroup() as group:
            deliverer = delivering(outbox, build, group, transport=Hanging())
            await deliverer.step()
        assert await deliverer.step() == FIRST_PAUSE / 1000
    assert outbox.refused == 2


class BrokenRows(Outbox):
    """The rows of one endpoint cannot be read."""

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        if "ep_1" in endpoint_ids:
            raise ValueError("Could not decode to UTF-8")
        return await super().due_deliveries(now, endpoint_ids)


async def test_an_endpoint_whose_rows_cannot_be_read_holds_up_no_other() -> None:
    outbox = BrokenRows([Row(), Row(endpoint_id="ep_2", seq=2)])
    await broken(outbox)
    assert [each.endpoint_id for each in outbox.settled] == ["ep_2"]


class Hanging(httpx.AsyncBaseTransport):
    """To receivers that have not answered yet; it knows how many were asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.answers.wait()
        return httpx.Response(204, stream=httpx.ByteStream(b""))


async def under_way(*heads: Row) -> tuple[int, list[SettleDelivery]]:
    """The most attempts in flight while no receiver answers, and their outcomes
    when all do."""
    outbox, transport, notifier = Backlog(heads), Hanging(), Notifier()

    async def build(head: Head) -> WebhookMessage:
        return WebhookMessage(
            webhook_id="evt_1", url="http://h.example/", secrets=(SECRET,), body=b"{}"
        )

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        deliverer = delivering(outbox, build, group, transport=transport, notifier=notifier)
        with notifier.listen(*deliverer.topics) as landing:
            while await deliverer.step() == 0:
                pass
            for _ in range(20):
                await asyncio.sleep(0)
            asked = transport.asked
            transport.answers.set()
            while len(outbox.settled) < len(heads):
                await landing.wait(60)
                await deliverer.step()
    return asked, outbox.settled


async def test_a_project_starts_slowly_with_endpoints_of_which_nothing_is_known() -> None:
    heads = [Row(endpoint_id=f"ep_{n:03}", seq=n) for n in range(2 * PARALLEL)]
    asked, settled = await under_way(*heads)
    assert asked == FIRST_UNPROVEN
    assert len(settled) == len(heads)


async def test_every_project_has_its_share_of_what_may_be_under_way() -> None:
    loud = [Row(endpoint_id=f"ep_{n:03}", seq=n, project="loud") for n in range(100)]
    quiet = Row(endpoint_id="ep_z", seq=1_000, project="quiet")
    asked, _ = await under_way(*loud, quiet)
    assert asked == FIRST_UNPROVEN + 1


class StopsAtALook(Outbox):
    """The gateway is told to stop while the outbox is read."""

    stopping = False

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        self.stopping = True
        return await super().due_deliveries(now, endpoint_ids)


async def test_nothing_is_started_any_more_once_the_gateway_stops() -> None:
    receiver = Receiver()
    outbox = StopsAtALook([Row()])
    async with (
        listening(receiver) as url,
        PinnedTransport(Guard(allow_private=True)) as transport,
        asyncio.timeout(60),
    ):

        async def build(head: Head) -> WebhookMessage:
            return WebhookMessage(webhook_id="evt_1", url=url, secrets=(SECRET,), body=b"{}")

        async with asyncio.TaskGroup() as group:
            deliverer = delivering(
                outbox, build, group, transport=transport, is_stopping=lambda: outbox.stopping
            )
            await deliverer.step()
            await deliverer.step()
    assert (receiver.requests, outbox.settled) == ([], [])


async def test_while_the_breaker_of_an_endpoint_is_open_nothing_is_sent_and_nothing_counted() -> (
    None
):
    receiver = Receiver(answer=b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n")
    outbox = Backlog(
        [Row(seq=number, task_id=f"task_{number}") for number in range(BREAKER_FAILURES + 2)]
    )
    notifier, now = Notifier(), NOW
    async with (
        listening(receiver) as url,
        PinnedTransport(Guard(allow_private=True)) as transport,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):

        async def build(head: Head) -> WebhookMessage:
            return WebhookMessage(
                webhook_id=f"evt_{head.seq}", url=url, secrets=(SECRET,), body=b"{}"
            )

        deliverer = delivering(
            outbox, build, group, transport=transport, notifier=notifier, clock=lambda: now
        )
        with notifier.listen("deliveries") as landing:
            while len(outbox.settled) < BREAKER_FAILURES:
                await deliverer.step()
                await landing.wait(60)
            assert await deliverer.step() == FIRST_PAUSE / 1000
            assert len(receiver.requests) == BREAKER_FAILURES
            now += FIRST_PAUSE
            # It may be the fault of the delivery: that would say nothing of the endpoint.
            outbox.heads = [Row(seq=99, task_id="task_99", attempts=2, failures=2), *outbox.heads]
            await deliverer.step()
            await landing.wait(60)
    counted = [each.failures for each in outbox.settled]
    assert counted == [*[1] * (BREAKER_FAILURES - 1), 0, 0]
    opening, probe = outbox.settled[-2:]
    assert (opening.status, opening.next_attempt_at) == ("pending", NOW + FIRST_PAUSE)
    assert probe.seq == BREAKER_FAILURES
    assert (probe.status, probe.next_attempt_at) == ("pending", now + 2 * FIRST_PAUSE)


async def test_an_endpoint_gets_no_more_at_once_than_it_has_shown_to_take() -> None:
    heads = [Row(seq=number, task_id=f"task_{number}") for number in range(20)]
    async with listening(Receiver()) as url:
        settled = await deliver(url, *heads, Row(endpoint_id="ep_2", seq=21))
    assert len([each for each in settled if each.endpoint_id == "ep_1"]) == FIRST_IN_FLIGHT
    assert len([each for each in settled if each.endpoint_id == "ep_2"]) == 1


async def test_a_rate_holds_back_what_is_due_and_counts_it_as_no_failure() -> None:
    heads = [Row(seq=n, task_id=f"task_{n}", rate_per_second=1.0) for n in range(3)]
    async with listening(Receiver()) as url:
        (settled,) = await deliver(url, *heads)
    assert (settled.status, settled.attempts) == ("delivered", 1)


@pytest.mark.parametrize(
    ("changed", "reason", "sent"),
    [(0, "status", 0), (NOW + 1, "status", 1), (0, "proxy", 1)],
    ids=["still failing", "changed since", "our own fault"],
)
async def test_after_a_restart_the_breaker_is_open_unless_somebody_has_changed_the_endpoint(
    changed: int, reason: str, sent: int
) -> None:
    receiver, outbox = Receiver(), Outbox([Row()])
    outbox.changed = changed
    outbox.past = [
        DeliveryFailure(
            endpoint_id="ep_1", failing_since=NOW - 1_000, at=NOW - 100 + number, reason=reason
        )
        for number in range(BREAKER_FAILURES)
    ]
    async with (
        listening(receiver) as url,
        PinnedTransport(Guard(allow_private=True)) as transport,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):

        async def build(head: Head) -> WebhookMessage:
            return WebhookMessage(webhook_id="evt_1", url=url, secrets=(SECRET,), body=b"{}")

        await delivering(outbox, build, group, transport=transport).step()
    assert len(receiver.requests) == sent


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

    def __init__(self, group: asyncio.TaskGroup, *before: Row) -> None:
        self.transport = Paced(0)
        self._heads = list(before)
        self.outbox = LateRead(self._heads)
        self._events = 0
        self.deliverer = delivering(self.outbox, self._build, group, transport=self.transport)

    async def _build(self, head: Head) -> WebhookMessage:
        return WebhookMessage(
            webhook_id=f"evt_{head.seq}", url="http://h.example/", secrets=(SECRET,), body=b"{}"
        )

    def commit(self, *, is_disabled: bool = False, is_unreadable: bool = False) -> None:
        """One more event; the same commit may disable its endpoint after it, or lack the event of
        the delivery."""
        unit = UnitOfWork(policy=Policy(key_id="k1"), seq=self._events)
        self._events += 1
        endpoint = Endpoint(id="ep_1", project="default", origin="http://h.example")
        unit.outbox.directory.put(endpoint)
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
