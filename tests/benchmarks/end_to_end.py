"""Messages stored and delivered: how many a second, how soon after they were acknowledged."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.connection import Connection, connected, ready
from tests.benchmarks.load import new_endpoint, new_event, new_task
from tests.benchmarks.receiver import Receiver, listening
from tests.benchmarks.report import Figure, Section, percentile
from tests.benchmarks.servers import Server, gateway

PATH: Final = "/all"
PATIENCE: Final = 120.0
"""Seconds until all must be delivered."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    messages: int = 5_000
    """Sent in at full rate; four times, for the memory."""
    rounds: int = 4
    connections: int = 64
    samples: int = 200
    per_second: float = 20.0
    """Of the samples of the lag."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One load at full rate."""

    per_second: float
    """Stored and delivered, from the first request to the last arrival."""
    delivered_at_end: float
    """The share that had arrived when the last was acknowledged."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    rounds: tuple[Round, ...]
    own_rounds: tuple[Round, ...]
    """Of own events in place of tasks."""
    lag_seconds: tuple[float, ...]
    """From the reply to the first byte at the receiver; below zero if that came first."""
    memory_mb: float


async def section(size: Size) -> Section:
    """Measures the lag of a quiet gateway, and then the load of another one."""
    async with _field() as (server, receiver):
        lag = await _lag(server, receiver, size)
    async with _field() as (server, receiver):
        task, event = new_task(server), new_event(server)
        await _round(server, receiver, task, size.messages // 10, size.connections)  # warms it up
        rounds = [
            await _round(server, receiver, task, size.messages, size.connections)
            for _ in range(size.rounds)
        ]
        memory = server.resident_mb() or 0.0
        own_rounds = [
            await _round(server, receiver, event, size.messages, size.connections)
            for _ in range(size.rounds)
        ]
    measured = Measured(
        rounds=tuple(rounds),
        own_rounds=tuple(own_rounds),
        lag_seconds=tuple(lag),
        memory_mb=memory,
    )
    return _section(size, measured)


def _section(size: Size, measured: Measured) -> Section:
    rounds, lag = measured.rounds, measured.lag_seconds
    rate = statistics.median(each.per_second for each in rounds)
    own_rate = statistics.median(each.per_second for each in measured.own_rounds)
    share = statistics.median(each.delivered_at_end for each in rounds)
    total = size.messages * size.rounds
    memory_mib = measured.memory_mb / 1.024  # of 1,000 KiB each
    return Section(
        name="end to end",
        note=f"{size.rounds} rounds of {size.messages} tasks on {size.connections} connections, "
        f"each delivered to one endpoint; the lag at {size.per_second:g}/s is from the reply to "
        "the first byte at the receiver.",
        results=(
            Figure(name="stored and delivered", value=rate, unit="/s", least=1_800),
            Figure(name="own events, against tasks", value=own_rate / rate, unit="×"),
            Figure(name="delivered at the last reply", value=share, unit="×", least=0.8),
            Figure(name="reply to receiver, p50", value=_ms(lag, 50), unit="ms", most=0.7),
            Figure(name="reply to receiver, p99", value=_ms(lag, 99), unit="ms"),
            Figure(name=f"memory after {total:,}", value=memory_mib, unit="MiB", most=80),
        ),
        measured=measured,
    )


def _ms(seconds: tuple[float, ...], percent: int) -> float:
    return percentile(seconds, percent) * 1000


@asynccontextmanager
async def _field() -> AsyncIterator[tuple[Server, Receiver]]:
    """A gateway, and a receiver that hears of its new tasks."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
        receiver = await stack.enter_async_context(listening())
        receiver.keeps_bodies = False
        server = stack.enter_context(gateway(folder))
        await ready(server.port)
        async with connected(server.port, 1) as (connection,):
            await connection.ask(new_endpoint(server, receiver.url(PATH)), 201)
        yield server, receiver


async def _lag(server: Server, receiver: Receiver, size: Size) -> list[float]:
    message = new_task(server)
    lag = []
    async with connected(server.port, 1) as (connection,):
        for _ in range(size.samples):
            await asyncio.sleep(1 / size.per_second)
            receiver.begin(1)
            await connection.ask(message, 202)
            replied = time.perf_counter()
            async with asyncio.timeout(PATIENCE):
                await receiver.enough()
            lag.append(receiver.moments[PATH][0] - replied)
    return lag


async def _round(
    server: Server, receiver: Receiver, message: bytes, messages: int, connections: int
) -> Round:
    receiver.begin(messages)
    left = iter(range(messages))
    async with connected(server.port, connections) as opened:
        began = time.perf_counter()
        await asyncio.gather(*(_ask(each, message, left) for each in opened))
        arrived = receiver.arrived
        async with asyncio.timeout(PATIENCE):
            await receiver.enough()
    seconds = max(receiver.moments[PATH]) - began
    return Round(per_second=messages / seconds, delivered_at_end=arrived / messages)


async def _ask(connection: Connection, message: bytes, left: Iterator[int]) -> None:
    for _ in left:
        await connection.ask(message, 202)
