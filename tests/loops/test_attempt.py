"""One attempt at a delivery: what it sends, and what becomes of its outcome."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs

from gateway.domain.deliveries.delivery import NO_REPEAT, REPEAT, REPEATING
from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import SettleDelivery
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.read_set import Command
from gateway.loops.deliveries.limiter import (
    FIRST_PAUSE,
)
from gateway.loops.deliveries.post import WebhookMessage
from gateway.loops.deliveries.schedule import SCHEDULE
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from gateway.store.records import Head
from gateway.wire.signing import secret_text
from tests.loops.deliverer import (
    NOW,
    SECRET,
    Hanging,
    Outbox,
    Receiver,
    broken,
    deliver,
    delivering,
    listening,
)
from tests.loops.heads import Row


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


async def test_a_delivery_without_a_message_is_settled_with_the_reason() -> None:
    (settled,) = await deliver(None, Row())
    assert (settled.status, settled.reason) == ("pending", "no_address")


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
async def test_a_message_is_sent_once_however_long_its_outcome_cannot_be_committed(
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
