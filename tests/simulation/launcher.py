"""Launchers: the real loop, jobs, lease and client of `launcher/`, between a network and a realm.

A crash forgets everything; its sandboxes, and the create calls it had begun, live on.
"""

import asyncio
import functools
import sys
from typing import Any, Final, cast

import httpx
import msgspec
from structlog.typing import FilteringBoundLogger

from gateway.domain.kernel.errors import ApiError
from gateway.wire import launcher as wire
from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.loop import Launcher as Loop
from tests.simulation.network import Lost, Network, Request
from tests.simulation.provider import Door, Realm
from tests.simulation.scheduler import Process
from tests.simulation.world import World

DOWN: Final = (1.0, 10.0, 70.0, 300.0)
STATUS: Final = {"unavailable": 503, "lease_lost": 409, "realm_mismatch": 409, "unknown_job": 404}


class Log:
    """A log nobody reads, but for what broke: that is a bug of the launcher."""

    def __init__(self, world: World) -> None:
        self._world = world

    def bind(self, **fields: object) -> "Log":
        """Itself."""
        error = sys.exc_info()[1]
        if fields.get("exc_info") and error is not None:
            self._world.scheduler.fail(error)
        return self

    def info(self, *_line: object, **_fields: object) -> None:
        """Nothing."""

    warning = info


class Launcher:
    """One launcher of a realm, dead or alive."""

    def __init__(self, world: World, network: Network, realm: Realm, name: str) -> None:
        self.name = name
        self.realm = realm
        self._world = world
        self._network = network
        self._choices = world.choices.stream(name)
        self._lives = 0
        self.start()

    def start(self) -> None:
        """A new process, under an id of its own."""
        self._lives += 1
        world = self._world
        self.process = Process(world.scheduler, self.name)
        step = functools.partial(self.step, self.process)
        door = Door(world, self.realm, self.process, self._choices, step)
        wires = _Wires(self, world, self._network)
        loop = Loop(
            LauncherContext(
                client=Client(
                    cast(httpx.AsyncClient, wires),
                    log=cast(FilteringBoundLogger, Log(world)),
                    sleep=functools.partial(self._network.pause, self.process),
                    clock=world.scheduler.time,
                ),
                providers=(door,),
                forwarded_env={},
                clock=world.scheduler.time,
            ),
            launcher_id=f"{self.name}.{self._lives}",
            version="1",
            capacity=2,
            log=cast(FilteringBoundLogger, Log(world)),
        )
        self.process.spawn(loop.run(_never()))

    def step(self, process: Process) -> None:
        """A process may die at each step it takes."""
        if process.is_alive and self._choices.happens(self._world.faults.launcher_crash):
            self._crash()

    def _crash(self) -> None:
        """Forgets everything; somebody starts it again."""
        down = self._choices.pick(DOWN)
        self._world.trace.note(self.name, f"killed, back in {down} s")
        self.process.kill()
        self._world.scheduler.call_later(down, self.start)


class _Wires:
    """Stands where the launcher's client has its HTTP connection."""

    def __init__(self, launcher: Launcher, world: World, network: Network) -> None:
        self._launcher = launcher
        self._process = launcher.process
        self._choices = world.choices.stream(launcher.name)
        self._scheduler = world.scheduler
        self._network = network

    async def post(self, path: str, *, content: bytes, timeout: float) -> httpx.Response:
        """One call of the launcher protocol."""
        self._launcher.step(self._process)
        if not self._process.is_alive:
            raise asyncio.CancelledError
        _, _, _, verb, *rest = path.split("/")
        verb = rest[-1] if rest else verb
        self._scheduler.call_soon(self._launcher.step, self._process)
        try:
            answer = await self._network.call(
                self._process,
                self._choices,
                self._request(verb, rest[0] if rest else "", content),
                seconds=timeout,
                waits=verb == "claim",
            )
        except Lost as lost:
            raise httpx.ReadTimeout("no answer") from lost
        except ApiError as refusal:
            problem = {"code": refusal.code, "detail": refusal.detail}
            status = STATUS.get(refusal.code, 400)
            return httpx.Response(status, content=msgspec.json.encode(problem))
        return httpx.Response(200, content=msgspec.json.encode(answer))

    def _request(self, verb: str, job_id: str, content: bytes) -> Request[Any]:
        decode = msgspec.json.decode
        if verb == "claim":
            claim = decode(content, type=wire.Claim)
            return lambda gateway: gateway.claim(claim, self._process)
        if verb == "renew":
            lease = decode(content, type=wire.Lease)
            return lambda gateway: gateway.renew(job_id, lease)
        if verb == "trying":
            trying = decode(content, type=wire.Trying)
            return lambda gateway: gateway.trying(job_id, trying)
        if verb == "created":
            created = decode(content, type=wire.Created)
            return lambda gateway: gateway.created(job_id, created)
        if verb == "done":
            done = decode(content, type=wire.Done)
            return lambda gateway: gateway.done(job_id, done)
        failed = decode(content, type=wire.Failed)
        return lambda gateway: gateway.failed(job_id, failed)


def _never() -> asyncio.Event:
    return asyncio.Event()
