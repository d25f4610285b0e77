"""Webhooks out: how many, how soon, and what is left of it when some receivers hang."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.alone import Work
from tests.benchmarks.connection import connected, ready, request
from tests.benchmarks.load import PACE_SECONDS, new_endpoint, new_task
from tests.benchmarks.receiver import Receiver, listening
from tests.benchmarks.report import Figure, Section, percentile
from tests.benchmarks.servers import Server, gateway

ONE: Final = "/one"
SECRET: Final = b"s" * 32
AT_ONCE: Final = 8
"""Concurrent requests of plain httpx, as many as a gateway has in flight to one endpoint."""
PATIENCE: Final = 300.0
"""Seconds until a load must be delivered."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    rounds: int = 5
    deliveries: int = 2_000
    """To one endpoint, in each round."""
    samples: int = 200
    """Of the time to the first byte."""
    endpoints: int = 100
    hanging: int = 10
    tasks: int = 40
    """For each of these endpoints, in each round."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries per second, one load after the other."""

    ours: float
    alone: float


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries per second to the endpoints that answer."""

    all_answer: float
    some_hang: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    rounds: tuple[Round, ...]
    first_byte_seconds: tuple[float, ...]
    beside: tuple[Beside, ...]


async def section(size: Size) -> Section:
    """Measures, with a gateway for each question."""
    measured = await _measure(size)
    waits = [seconds * 1000 for seconds in measured.first_byte_seconds]
    ours = statistics.median(each.ours for each in measured.rounds)
    alone = statistics.median(each.alone for each in measured.rounds)
    ratio = statistics.median(each.ours / each.alone for each in measured.rounds)
    kept = statistics.median(each.some_hang / each.all_answer for each in measured.beside)
    return Section(
        name="deliveries",
        note=f"{len(measured.rounds)} rounds; httpx sends {AT_ONCE} at a time; the receiver is "
        f"this process; POST to first byte has the commit in it; {size.hanging} of "
        f"{size.endpoints} endpoints hang.",
        results=(
            Figure(name="deliveries to one endpoint", value=ours, unit="/s"),
            Figure(name="httpx alone", value=alone, unit="/s"),
            Figure(name="deliveries : httpx alone", value=ratio, unit="×", least=0.5),
            Figure(name="POST to first byte, p50", value=percentile(waits, 50), unit="ms", most=10),
            Figure(name="POST to first byte, p99", value=percentile(waits, 99), unit="ms", most=50),
            Figure(name="rate beside some that hang : alone", value=kept, unit="×", least=0.9),
        ),
        measured=measured,
    )


async def _measure(size: Size) -> Measured:
    async with _field() as field:
        endpoint = await field.opens(ONE)
        rounds = [await _round(field, endpoint, size.deliveries) for _ in range(size.rounds)]
    async with _field() as field:
        await field.opens(ONE)
        waits = await _waits(field, size.samples)
    beside = [await _beside(size) for _ in range(max(1, size.rounds // 2))]
    return Measured(rounds=tuple(rounds), first_byte_seconds=tuple(waits), beside=tuple(beside))


@dataclass(frozen=True, kw_only=True)
class _Field:
    folder: Path
    server: Server
    receiver: Receiver

    async def opens(self, path: str) -> str:
        """An endpoint that hears of new tasks."""
        message = new_endpoint(self.server, self.receiver.url(path))
        async with connected(self.server.port, 1) as (connection,):
            made = msgspec.json.decode(await connection.ask(message, 201))
        return str(made["id"])

    async def turn(self, endpoint: str, verb: str) -> None:
        """`enable` or `disable`."""
        authorization = {"authorization": f"Bearer {self.server.ops_key}"}
        message = request("POST", f"/v1/endpoints/{endpoint}/{verb}", b"{}", authorization)
        async with connected(self.server.port, 1) as (connection,):
            await connection.ask(message, 200)

    async def create(self, number: int) -> None:
        """Creates `number` tasks, each with one event."""
        message = new_task(self.server)
        async with connected(self.server.port, 1) as (connection,):
            for _ in range(number):
                await connection.ask(message, 202)

    async def arrived(self) -> None:
        """Until all that is waited for has come."""
        async with asyncio.timeout(PATIENCE):
            await self.receiver.enough()


@asynccontextmanager
async def _field() -> AsyncIterator[_Field]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
        receiver = await stack.enter_async_context(listening())
        server = stack.enter_context(gateway(folder / "gateway"))
        await ready(server.port)
        try:
            yield _Field(folder=folder, server=server, receiver=receiver)
        finally:
            receiver.hang_up()


async def _round(field: _Field, endpoint: str, deliveries: int) -> Round:
    """Sends the held deliveries as fast as possible, then the same ones with plain httpx."""
    await field.turn(endpoint, "disable")
    await field.create(deliveries)
    receiver = field.receiver
    receiver.begin(deliveries)
    await field.turn(endpoint, "enable")
    await field.arrived()
    ours = deliveries / receiver.seconds()
    work = Work(url=receiver.url(ONE), secret=SECRET, at_once=AT_ONCE, bodies=list(receiver.bodies))
    receiver.begin(deliveries)
    await _send_alone(field.folder / "work", work)
    return Round(ours=ours, alone=deliveries / receiver.seconds())


async def _send_alone(path: Path, work: Work) -> None:
    path.write_bytes(msgspec.msgpack.encode(work))
    program = (sys.executable, "-m", "tests.benchmarks.alone", str(path))
    process = await asyncio.create_subprocess_exec(*program)
    assert await process.wait() == 0


async def _waits(field: _Field, samples: int) -> list[float]:
    waits = []
    message = new_task(field.server)
    async with connected(field.server.port, 1) as (connection,):
        for _ in range(samples):
            await asyncio.sleep(PACE_SECONDS)
            field.receiver.begin(1)
            began = time.perf_counter()
            await connection.ask(message, 202)
            await field.arrived()
            waits.append(field.receiver.moments[ONE][0] - began)
    return waits


async def _beside(size: Size) -> Beside:
    paths = [f"/{number}" for number in range(size.endpoints)]
    async with _field() as field:
        field.receiver.keeps_bodies = False
        field.receiver.aside = frozenset(paths[: size.hanging])
        for path in paths:
            await field.opens(path)
        await _rate(field, size)  # the gates learn how much each of them takes
        all_answer = await _rate(field, size)
        field.receiver.is_aside_hanging = True
        return Beside(all_answer=all_answer, some_hang=await _rate(field, size))


async def _rate(field: _Field, size: Size) -> float:
    """Of the endpoints that answer, whatever the others do."""
    awaited = (size.endpoints - size.hanging) * size.tasks
    field.receiver.begin(awaited)
    await field.create(size.tasks)
    await field.arrived()
    return awaited / field.receiver.seconds()
