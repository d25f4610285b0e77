"""The deliverer: which deliveries may start, and when."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.domain.kernel.commands import SettleDelivery
from gateway.loops.deliveries.admission import FIRST_UNPROVEN, PARALLEL
from gateway.loops.deliveries.limiter import (
    BREAKER_FAILURES,
    FIRST_IN_FLIGHT,
    FIRST_PAUSE,
)
from gateway.loops.deliveries.post import WebhookMessage
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from gateway.notifier import Notifier
from gateway.store.records import DeliveryFailure, DueDeliveries, Head
from tests.loops.deliverer import (
    NOW,
    SECRET,
    Backlog,
    Hanging,
    Outbox,
    Receiver,
    SlowRead,
    broken,
    deliver,
    delivering,
    listening,
)
from tests.loops.heads import Row


async def test_one_lane_sends_one_message_at_a_time_and_others_go_beside_it() -> None:
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
