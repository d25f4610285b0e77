"""Callers who hold connections, and bodies made to be slow: what health checks feel of them."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgspec

from tests.benchmarks.connection import Connection, Unexpected, connected, ready, request
from tests.benchmarks.load import TASK, Agent, running_agents
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import Server, gateway

HALF: Final = b"GET / HTTP/1.1\r\nX: "
HALF_BODY: Final = b"POST /v1/webhooks/agent HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{}"
AT_ONCE: Final = 200
"""Connections that are opened at a time."""
MANY: Final = 150_000


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    connections: int = 4
    """That send the same slow body, one after the other."""
    checks: int = 40
    """Of `/healthz` beside them."""


class Slowest(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of the slowest health check beside each body."""

    beside: dict[str, float]


class _Held(asyncio.Protocol):
    """A connection whose caller sends something once, and waits; it is made again when it ends."""

    def __init__(self, port: int, message: bytes) -> None:
        self._port = port
        self._message = message
        self._transport: asyncio.Transport | None = None
        self._is_over = False

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._message)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_over:
            self._again = asyncio.ensure_future(self.open())

    def end(self) -> None:
        self._is_over = True
        if self._transport is not None:
            self._transport.abort()


@asynccontextmanager
async def held(server: Server, number: int, message: bytes) -> AsyncIterator[None]:
    """Opens `number` connections that send this and stay open."""
    callers = [_Held(server.port, message) for _ in range(number)]
    for first in range(0, number, AT_ONCE):
        await asyncio.gather(*(caller.open() for caller in callers[first : first + AT_ONCE]))
    try:
        yield
    finally:
        for caller in callers:
            caller.end()


def poll(server: Server) -> bytes:
    """A long poll of the neighbour, behind every event."""
    authorization = {"authorization": f"Bearer {server.neighbour_key}"}
    return request("GET", f"/v1/events?after={2**60}&wait=30", b"", authorization)


async def section(size: Size) -> Section:
    """Health checks beside each of the bodies."""
    beside: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="slipgate-bench-") as folder,
        gateway(Path(folder)) as server,
    ):
        await ready(server.port)
        (agent,) = await running_agents(server, 1)
        beside["nothing"] = await _slowest(server, size, None)
        for name, message in _slow(server, agent).items():
            beside[name] = await _slowest(server, size, message)
    return Section(
        name="bodies made to be slow",
        note=f"the slowest of {size.checks} health checks while {size.connections} connections "
        "send one such body after the other.",
        results=tuple(
            Figure(name=f"/healthz beside {name}", value=slowest * 1000, unit="ms", most=1_000)
            for name, slowest in beside.items()
        ),
        measured=Slowest(beside=beside),
    )


async def _slowest(server: Server, size: Size, message: bytes | None) -> float:
    senders = size.connections if message else 0
    async with connected(server.port, senders) as opened, connected(server.port, 1) as (health,):
        sending = [asyncio.create_task(_send(each, message or b"")) for each in opened]
        slowest = 0.0
        try:
            for _ in range(size.checks):
                began = time.perf_counter()
                await health.ask(request("GET", "/healthz"), 200)
                slowest = max(slowest, time.perf_counter() - began)
                await asyncio.sleep(0.01)
        finally:
            for each in sending:
                each.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
    return slowest


async def _send(connection: Connection, message: bytes) -> None:
    while True:
        try:
            await connection.ask(message, 0)
        except Unexpected:
            continue  # whatever it was answered


def _slow(server: Server, agent: Agent) -> dict[str, bytes]:
    texts = {f"A{number}": "" for number in range(MANY)}
    numbers = {f"A{number}": 1 for number in range(MANY)}
    tasks: dict[str, object] = {
        "lists of numbers": TASK | {"validate": [[1] * 100] * 5_000},
        "empty lists": TASK | {"validate": [[]] * 400_000},
        "variables": TASK | {"env": texts},
        "numbers for variables": TASK | {"env": numbers},
        "unknown fields": numbers,
    }
    error = {"stage": "agent", "code": "x", "message": "x"}
    words: dict[str, dict[str, object]] = {
        "a patch of +@": {"error": error, "patch": "+@\n" * 170_000},
        "passwords": {"error": error, "logTail": "://a:b@" * 70_000},
        "keys": {"error": error, "patch": ("+npm_" + "a" * 36 + "\n") * 12_000},
        "brackets": {"error": error, "x": [[]] * 40_000},
    }
    authorization = {"authorization": f"Bearer {server.tasks_key}"}
    made = {
        name: request("POST", "/v1/tasks", json.dumps(body).encode(), authorization)
        for name, body in tasks.items()
    }
    return made | {name: agent.word("task.failed", fields) for name, fields in words.items()}
