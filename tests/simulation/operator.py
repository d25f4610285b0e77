"""The operator: has the project's endpoints watched, by an endpoint of its own."""

import asyncio
from typing import Final

from gateway.domain.deliveries.commands import CreateEndpoint, EndpointReply
from gateway.domain.deliveries.endpoint import Endpoint, SigningSecret
from gateway.domain.deliveries.outbox import Address
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.sealing import Sealed
from tests.simulation.invariants import WATCHER
from tests.simulation.network import Lost, Network
from tests.simulation.scheduler import Process
from tests.simulation.world import World

PATIENCE: Final = 40
"""Requests that it repeats at most."""
_BOX: Final = Sealed(key_id="k1", box=b"sealed")
_OPENED: Final = CreateEndpoint(
    endpoint=Endpoint(
        id=WATCHER,
        project="default",
        origin="https://ops.example",
        implicit=False,
        event_types=("endpoint.*", "order.*"),
    ),
    address=Address(endpoint_id=WATCHER, url=_BOX, headers=None),
    secret=SigningSecret(id="sec_2", project="default", endpoint_id=WATCHER, created_at=0),
    sealed=_BOX,
    idempotency=Idempotency(
        key=("default", "POST /v1/endpoints", "watch"), digests={"k1": b"watch"}, current="k1"
    ),
)


class Operator:
    """Opens it once, in the middle of whatever goes on."""

    def __init__(self, world: World, network: Network) -> None:
        self._network = network
        self._choices = world.choices.stream("operator")
        self._process = Process(world.scheduler, "operator")
        if self._choices.below(2):
            self._process.spawn(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(self._choices.pick((0.1, 30.0)))
        for _ in range(PATIENCE):
            try:
                await self._network.call(
                    self._process,
                    self._choices,
                    lambda gateway: gateway.submit(_OPENED, EndpointReply),
                    seconds=10.0,
                )
            except (Lost, Unavailable):
                await self._network.pause(self._process, 5.0)
            else:
                return
