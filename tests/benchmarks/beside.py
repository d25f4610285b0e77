"""The same messages through slipgate and through others, in turns."""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from tests.benchmarks.connection import Connection, connected, ready, request
from tests.benchmarks.receiver import Receiver, listening
from tests.benchmarks.report import Figure, Section, percentile
from tests.benchmarks.servers import gateway, running
from tests.ports import reserved_port

PATIENCE: Final = 120.0
"""Seconds until all must be delivered."""
PROGRAM: Final = Path(__file__).parent / "outbox" / "outbox.mjs"
INSTALLED: Final = Path(".venv") / "outbox"
"""The folder into which `make bench` puts what the outbox needs of npm."""
TYPE: Final = "invoice.paid"
DATA: Final = {
    "id": "inv_01k5yb6t5fe008",
    "customer": {"id": "cus_81", "name": "Acme", "address": "1 Main Street, 12345 Springfield"},
    "lines": [{"sku": f"sku_{each}", "amount": 100 + each, "text": "A line"} for each in range(8)],
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    messages: int = 2_000
    rounds: int = 4
    connections: int = 64
    samples: int = 100
    per_second: float = 20.0
    """Of the samples of the lag."""
    outpost: str | None = None
    """The address of an Outpost to measure, too."""
    outpost_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server that stores a message, answers 202, and delivers it to the receiver."""

    name: str
    port: int
    message: bytes
    path: str
    """The receiver's."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One load at full rate."""

    peer: str
    accepted_per_second: float
    delivered_per_second: float
    """From the first request to the last arrival."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    rounds: tuple[Round, ...]
    lag_seconds: dict[str, tuple[float, ...]]
    """From the reply to the first byte at the receiver; below zero if that came first."""


async def section(size: Size) -> Section:
    """Measures all that are there, round by round in turns."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(listening())
        receiver.keeps_bodies = False
        peers = [await stack.enter_async_context(_slipgate(receiver))]
        if (INSTALLED / "node_modules").is_dir() and shutil.which("node"):
            peers.append(await stack.enter_async_context(_outbox(receiver)))
        if size.outpost is not None:
            peers.append(await _outpost(size.outpost, size.outpost_key, receiver))
        for peer in peers:  # warms them up
            await _round(peer, receiver, replace(size, messages=size.messages // 4))
        lag = {peer.name: tuple(await _lag(peer, receiver, size)) for peer in peers}
        rounds = [await _round(peer, receiver, size) for _ in range(size.rounds) for peer in peers]
    return _section(size, Measured(rounds=tuple(rounds), lag_seconds=lag))


def _section(size: Size, measured: Measured) -> Section:
    return Section(
        name="beside others",
        note=f"{size.rounds} rounds of {size.messages} messages of 500 bytes in turns, on "
        f"{size.connections} connections, each stored and delivered to one receiver; medians.",
        results=tuple(
            figure for name in measured.lag_seconds for figure in _of_peer(name, measured)
        ),
        measured=measured,
    )


def _of_peer(name: str, measured: Measured) -> Iterator[Figure]:
    rounds = [each for each in measured.rounds if each.peer == name]
    accepted = statistics.median(each.accepted_per_second for each in rounds)
    delivered = statistics.median(each.delivered_per_second for each in rounds)
    lag = measured.lag_seconds[name]
    yield Figure(name=f"{name}: accepted", value=accepted, unit="/s")
    yield Figure(name=f"{name}: stored and delivered", value=delivered, unit="/s")
    yield Figure(name=f"{name}: reply to receiver, p50", value=_ms(lag, 50), unit="ms")
    yield Figure(name=f"{name}: reply to receiver, p99", value=_ms(lag, 99), unit="ms")


def _ms(seconds: tuple[float, ...], percent: int) -> float:
    return percentile(seconds, percent) * 1000


@asynccontextmanager
async def _slipgate(receiver: Receiver) -> AsyncIterator[Peer]:
    path = "/slipgate"
    endpoint = {"url": receiver.url(path), "project": "default", "eventTypes": [TYPE]}
    with _folder() as folder, gateway(folder) as server:
        await ready(server.port)
        async with connected(server.port, 1) as (connection,):
            await connection.ask(_post("/v1/endpoints", endpoint, server.ops_key), 201)
        message = _post("/v1/events", {"type": TYPE, "data": DATA}, server.tasks_key)
        yield Peer(name="slipgate", port=server.port, message=message, path=path)


@asynccontextmanager
async def _outbox(receiver: Receiver) -> AsyncIterator[Peer]:
    path = "/outbox"
    with _folder() as folder, reserved_port() as port:
        program = str(shutil.copy(PROGRAM, INSTALLED))  # node looks for packages beside the program
        database = str(folder / "outbox.db")
        with running(["node", program, database, str(port), receiver.url(path)], os.environ):
            await ready(port)
            message = _post("/messages", {"type": TYPE, "data": DATA})
            yield Peer(name="Express outbox", port=port, message=message, path=path)


async def _outpost(address: str, key: str, receiver: Receiver) -> Peer:
    """An Outpost that runs already, with the topic `bench`."""
    path, tenant = "/outpost", "slipgate-bench"
    destination = {"type": "webhook", "topics": ["*"], "config": {"url": receiver.url(path)}}
    base, authorization = f"{address}/api/v1", {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=authorization) as client:
        of_tenant = f"{base}/tenants/{tenant}"
        await client.delete(of_tenant)  # of an earlier run
        (await client.put(of_tenant)).raise_for_status()
        (await client.post(f"{of_tenant}/destinations", json=destination)).raise_for_status()
    message = _post("/api/v1/publish", {"tenant_id": tenant, "topic": "bench", "data": DATA}, key)
    return Peer(name="Outpost", port=urlsplit(address).port or 80, message=message, path=path)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="slipgate-bench-") as folder:
        yield Path(folder)


def _post(path: str, body: object, key: str = "") -> bytes:
    authorization = {"authorization": f"Bearer {key}"} if key else {}
    return request("POST", path, msgspec.json.encode(body), authorization)


async def _lag(peer: Peer, receiver: Receiver, size: Size) -> list[float]:
    lag = []
    async with connected(peer.port, 1) as (connection,):
        for _ in range(size.samples):
            await asyncio.sleep(1 / size.per_second)
            receiver.begin(1)
            await connection.ask(peer.message, 202)
            replied = time.perf_counter()
            await _all_arrived(receiver)
            lag.append(receiver.moments[peer.path][0] - replied)
    return lag


async def _round(peer: Peer, receiver: Receiver, size: Size) -> Round:
    receiver.begin(size.messages)
    left = iter(range(size.messages))
    async with connected(peer.port, size.connections) as opened:
        began = time.perf_counter()
        await asyncio.gather(*(_ask(each, peer.message, left) for each in opened))
        accepted = time.perf_counter() - began
        await _all_arrived(receiver)
    delivered = max(receiver.moments[peer.path]) - began
    return Round(
        peer=peer.name,
        accepted_per_second=size.messages / accepted,
        delivered_per_second=size.messages / delivered,
    )


async def _all_arrived(receiver: Receiver) -> None:
    async with asyncio.timeout(PATIENCE):
        await receiver.enough()


async def _ask(connection: Connection, message: bytes, left: Iterator[int]) -> None:
    for _ in left:
        await connection.ask(message, 202)
