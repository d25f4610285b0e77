"""Gateways on PostgreSQL: one beside a gateway on SQLite, and two of them."""

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

from tests.benchmarks.connection import ready
from tests.benchmarks.load import tasks_per_second
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import Server, gateway
from tests.postgres.cluster import DURABLE, Cluster, running_cluster


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    rounds: int = 7
    seconds: float = 3.0
    connections: int = 64
    """To each gateway."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One load: accepted tasks a second, and CPU-seconds of the gateways for 1,000 of them."""

    rate: float
    cpu: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The loads of each round."""

    sqlite: tuple[Load, ...]
    one: tuple[Load, ...]
    two: tuple[Load, ...]


async def section(size: Size) -> Section:
    """Loads the three in turn, in each round."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
        cluster = stack.enter_context(running_cluster(DURABLE, folder.parent))
        on_file = stack.enter_context(gateway(folder / "file"))
        alone = stack.enter_context(gateway(folder, database=_new_database(cluster)))
        shared = _new_database(cluster)
        first = stack.enter_context(gateway(folder, database=shared))
        second = stack.enter_context(gateway(folder, database=shared))
        groups = ((on_file,), (alone,), (first, second))
        for server in (server for group in groups for server in group):
            await ready(server.port)
        for group in groups:
            await _load(group, size)  # warms everything up
        rounds = [[await _load(group, size) for group in groups] for _ in range(size.rounds)]
    sqlite, one, two = zip(*rounds, strict=True)
    return _section(size, Measured(sqlite=sqlite, one=one, two=two))


def _section(size: Size, measured: Measured) -> Section:
    sqlite, one, two = measured.sqlite, measured.one, measured.two
    return Section(
        name="gateways",
        note=f"Accepted tasks: {size.rounds} rounds of {size.seconds:g} s, {size.connections} "
        "connections to each gateway; PostgreSQL flushes every commit. By CPU: a gateway is one "
        "thread at most of its time, so the CPU of a task is what bounds its rate on a core of "
        "its own; the wall clock counts only where the load, the server and each gateway have one.",
        results=(
            Figure(name="SQLite, one gateway", value=_rate(sqlite), unit="tasks/s"),
            Figure(name="PostgreSQL, one gateway", value=_rate(one), unit="tasks/s"),
            Figure(name="PostgreSQL, two gateways", value=_rate(two), unit="tasks/s"),
            Figure(name="one : SQLite, wall clock", value=_wall(one, sqlite), unit="×", least=0.5),
            Figure(name="two : one, wall clock", value=_wall(two, one), unit="×"),
            Figure(name="CPU, SQLite", value=_cpu(sqlite), unit="s / 1,000"),
            Figure(name="CPU, PostgreSQL, one", value=_cpu(one), unit="s / 1,000"),
            Figure(name="CPU, PostgreSQL, two", value=_cpu(two), unit="s / 1,000"),
            Figure(name="two : one, by CPU", value=2 * _spent(one, two), unit="×", least=1.6),
        ),
        measured=measured,
    )


async def _load(servers: Sequence[Server], size: Size) -> Load:
    before, began = _cpu_seconds(servers), time.perf_counter()
    rates = await asyncio.gather(
        *(tasks_per_second(server, size.connections, size.seconds) for server in servers)
    )
    tasks = sum(rates) * (time.perf_counter() - began)
    return Load(rate=sum(rates), cpu=(_cpu_seconds(servers) - before) / tasks * 1_000)


def _new_database(cluster: Cluster) -> str:
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(f"{cluster.address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{cluster.address}/{name}"


def _cpu_seconds(servers: Sequence[Server]) -> float:
    return sum(server.cpu_seconds() for server in servers)


def _rate(loads: Sequence[Load]) -> float:
    return statistics.median(load.rate for load in loads)


def _cpu(loads: Sequence[Load]) -> float:
    return statistics.median(load.cpu for load in loads)


def _wall(loads: Sequence[Load], others: Sequence[Load]) -> float:
    pairs = zip(loads, others, strict=True)
    return statistics.median(load.rate / other.rate for load, other in pairs)


def _spent(loads: Sequence[Load], others: Sequence[Load]) -> float:
    pairs = zip(loads, others, strict=True)
    return statistics.median(load.cpu / other.cpu for load, other in pairs)
