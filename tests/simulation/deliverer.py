"""Deliveries: the real deliverer and its post, before receivers that fail, hang and come late."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from gateway.ledger import Ledger
from gateway.loops.deliveries.admission import Limits
from gateway.loops.deliveries.attempt import AttemptRunner, Submit
from gateway.loops.deliveries.deliver import Deliverer
from gateway.loops.deliveries.post import WebhookMessage, sender
from gateway.loops.deliveries.schedule import Timing
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


class _Transport(httpx.AsyncBaseTransport):
    """To a receiver and back."""

    def __init__(self, world: World, receivers: Receivers) -> None:
        self._world = world
        self._receivers = receivers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The receiver's response."""
        try:
            self._world.invariants.sends(self._world.wall())
        except AssertionError as violated:
            self._world.scheduler.fail(violated)
            raise
        _, endpoint, seq = request.url.path.rsplit("/", 2)
        status = await self._receivers.answer(endpoint, int(seq))
        headers = {"retry-after": "7"} if status == 503 else {}
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))


def deliverer(
    world: World,
    receivers: Receivers,
    reads: Any,
    *,
    submit: Submit,
    ledger: Ledger,
    flights: asyncio.TaskGroup,
) -> Callable[[], Awaitable[float | None]]:
    """A step of the deliverer; None until a hint, if nothing is owed."""
    choices = world.choices.stream("deliverer")
    timing = Timing(clock=world.wall, random=lambda: choices.below(100) / 100)
    send, limits = sender(_Transport(world, receivers), world.wall), Limits()
    attempts = AttemptRunner(_build, send, submit, limits=limits, timing=timing)
    loop = Deliverer(
        reads, attempts, limits=limits, timing=timing, notifier=ledger.notifier, group=flights
    )
    ledger.followers.append(loop.follow)

    async def step() -> float | None:
        seconds = await loop.step()
        return seconds if await reads.has_pending() else None

    return step


async def _build(head: Head) -> WebhookMessage:
    url = f"https://app.example/{head.endpoint_id}/{head.seq}"
    return WebhookMessage(webhook_id=f"evt_{head.seq}", url=url, secrets=(b"secret",), body=b"{}")
