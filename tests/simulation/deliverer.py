"""Deliveries: the real deliverer and its post, before receivers that fail, hang and come late."""

import asyncio
from collections import defaultdict
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import httpx

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command
from gateway.ledger import Ledger
from gateway.loops.deliveries.admission import Limits
from gateway.loops.deliveries.attempt import AttemptRunner
from gateway.loops.deliveries.deliver import Deliverer
from gateway.loops.deliveries.post import WebhookMessage
from gateway.loops.deliveries.post import sender as post_sender
from gateway.loops.deliveries.schedule import Timing
from gateway.store.ownership import Ownership
from gateway.store.records import Head
from tests.simulation.choices import Stream
from tests.simulation.faults import Faults
from tests.simulation.world import World

ANSWERS: Final = (0.02, 0.5, 6.0)
HANGS: Final = (14.9, 15.1, 40.0)
NOES: Final = (500, 503, 404, 301)


class Receivers:
    """Every receiver there is. What came to one stays with it, whatever it answered."""

    def __init__(self, faults: Faults, choices: Stream) -> None:
        self._faults = faults
        self._choices = choices
        self.came: dict[str, list[int]] = defaultdict(list)
        """By endpoint, the numbers of the events, in the order in which they were answered 2xx."""

    async def answer(self, endpoint: str, seq: int) -> int:
        """The status with which it answers this event."""
        choices, faults = self._choices, self._faults
        is_hanging = choices.happens(faults.receiver_hangs)
        await asyncio.sleep(choices.pick(HANGS if is_hanging else ANSWERS))
        if choices.happens(faults.receiver_refuses):
            return choices.pick(NOES)
        self.came[endpoint].append(seq)
        return 200


class Sender(Protocol):
    """The gateway that sends."""

    ledger: Ledger
    ownership: Ownership
    is_leaving: bool
    reads: Any

    def clock(self) -> int:
        """Its wall clock (milliseconds)."""

    async def submit_any(self, command: Command) -> Answer:
        """Submits a command."""

    def attempt(self, endpoint_id: str) -> AbstractContextManager[None]:
        """An attempt at a delivery, while it is under way."""


class _Transport(httpx.AsyncBaseTransport):
    """To a receiver and back."""

    def __init__(self, world: World, receivers: Receivers, sender: Sender) -> None:
        self._world = world
        self._receivers = receivers
        self._sender = sender

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The receiver's response."""
        _, endpoint, seq = request.url.path.rsplit("/", 2)
        try:
            with self._sender.attempt(endpoint):
                self._world.invariants.sends(endpoint, int(seq))
                status = await self._receivers.answer(endpoint, int(seq))
        except AssertionError as violated:
            self._world.scheduler.fail(violated)
            raise
        headers = {"retry-after": "7"} if status == 503 else {}
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))


def deliverer(
    world: World, receivers: Receivers, sender: Sender, group: asyncio.TaskGroup
) -> Deliverer:
    """The loop of this gateway."""
    choices = world.choices.stream("deliverer")
    timing = Timing(
        clock=sender.clock,
        random=lambda: choices.below(100) / 100,
        is_stopping=lambda: sender.is_leaving,
    )
    send, limits = post_sender(_Transport(world, receivers, sender), sender.clock), Limits()
    attempts = AttemptRunner(_build, send, sender.submit_any, limits=limits, timing=timing)
    loop = Deliverer(
        sender.reads,
        attempts,
        limits=limits,
        timing=timing,
        notifier=sender.ledger.notifier,
        group=group,
        ownership=sender.ownership,
    )
    sender.ledger.followers.extend((sender.ownership.follow, loop.follow))
    return loop


async def _build(head: Head) -> WebhookMessage:
    url = f"https://app.example/{head.endpoint_id}/{head.seq}"
    return WebhookMessage(webhook_id=f"evt_{head.seq}", url=url, secrets=(b"secret",), body=b"{}")
