"""The application: posts events of its own types, some of one key, and repeats itself."""

import asyncio
import hashlib
from typing import Final

from gateway.domain.deliveries.commands import PostEvent, PostReply
from gateway.domain.deliveries.own_event import lane_id
from gateway.domain.kernel.errors import Unavailable
from tests.simulation.network import Lost, Network
from tests.simulation.scheduler import Process
from tests.simulation.world import World

PATIENCE: Final = 40
"""Requests that it repeats at most."""
BETWEEN: Final = (0.1, 5.0, 60.0)
KEYS: Final = (None, "a", "b")


class Application:
    """Two of it post at the same time: events of one key meet at the gateways."""

    def __init__(self, world: World, network: Network, number: int) -> None:
        self._world = world
        self._network = network
        self._number = number
        self._asked = 0
        self._choices = world.choices.stream(f"application {number}")
        self._process = Process(world.scheduler, f"application {number}")
        self._process.spawn(self._live())

    async def _live(self) -> None:
        for _ in range(self._choices.below(5)):
            await asyncio.sleep(self._choices.pick(BETWEEN))
            # Both may post the same event: its id says so.
            event_id = f"event {self._choices.below(6)}"
            await self._post(event_id, KEYS[int(event_id[-1]) % len(KEYS)])

    async def _post(self, event_id: str, key: str | None) -> None:
        """The same event until it is taken, or nobody cares any more."""
        for _ in range(PATIENCE):
            self._asked += 1
            command = PostEvent(
                project="default",
                lane=lane_id("default", key) if key else f"own_{self._number}_{self._asked}",
                is_ordered=key is not None,
                type="order.made",
                data=b"{}",
                digest=hashlib.sha256(event_id.encode()).digest(),
                event_id=event_id,
            )
            try:
                reply = await self._call(command)
            except (Lost, Unavailable):
                await self._network.pause(self._process, 5.0)
            else:
                self._world.invariants.posted(event_id, reply)
                return

    async def _call(self, command: PostEvent) -> PostReply:
        return await self._network.call(
            self._process,
            self._choices,
            lambda gateway: gateway.submit(command, PostReply),
            seconds=10.0,
        )
