"""A thousand readers of one task's stream: how soon they know, and what that costs the others."""

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gateway.wire.tasks import EventView, Page
from tests.benchmarks.connection import Connection, connected, ready, request
from tests.benchmarks.load import Agent, running_agents, tasks_per_second
from tests.benchmarks.report import Figure, Section, percentile
from tests.benchmarks.servers import Server, gateway

SPOKEN_EVERY: Final = 1.0
"""Seconds between two words of the agent while many listen."""
PACE: Final = 0.01
"""Seconds after a word was heard until the next one, on the idle gateway."""
FILES: Final = 8_192
PATIENCE: Final = 30.0
"""Seconds until an event that nobody hears fails the run."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    readers: int = 1_000
    connections: int = 64
    rounds: int = 5
    seconds: float = 3.0
    """Of the intake, alone and before the audience, in each round."""
    words: int = 200
    """On the idle gateway, to one reader."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The intake alone, then before the audience."""

    alone: float
    """Accepted tasks per second."""
    together: float
    delays: tuple[float, ...]
    """Seconds from sending a word until the last reader has it."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    readers: int
    idle_delays: tuple[float, ...]
    """Seconds from sending a word until the only reader has it."""
    rounds: tuple[Round, ...]
    kb_per_reader: float | None


async def section(size: Size) -> Section:
    """Starts a gateway and its readers, and measures."""
    measured = await _measure(size)
    idle = [delay * 1000 for delay in measured.idle_delays]
    slowest = max(delay for each in measured.rounds for delay in each.delays)
    kept = statistics.median(each.together / each.alone for each in measured.rounds)
    results = [
        Figure(name="word to its one reader, idle, p50", value=percentile(idle, 50), unit="ms"),
        Figure(name="word to its one reader, idle, p99", value=percentile(idle, 99), unit="ms"),
        Figure(name="word to the last reader, slowest", value=slowest, unit="s", most=1),
        Figure(name="intake: intake alone", value=kept, unit="×", least=0.7),
    ]
    if measured.kb_per_reader is not None:
        results.append(Figure(name="memory per reader", value=measured.kb_per_reader, unit="kB"))
    return Section(
        name=f"{size.readers:,} readers of one stream",
        note=f"a word every {SPOKEN_EVERY:g} s, {size.connections} connections of intake beside "
        f"it; {size.rounds} rounds of {size.seconds:g} s with and without.",
        results=tuple(results),
        measured=measured,
    )


async def _measure(size: Size) -> Measured:
    allow_files()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-"))
        server = stack.enter_context(gateway(Path(folder)))
        await ready(server.port)
        (agent,) = await running_agents(server, 1)
        idle = await _idle_delays(server, agent, size.words)
        await tasks_per_second(server, size.connections, size.seconds / 4)  # warms everything up
        rounds, grown = [], []
        for _ in range(size.rounds):
            found, megabytes = await _round(server, agent, size)
            rounds.append(found)
            grown.append(megabytes)
    return Measured(
        readers=size.readers,
        idle_delays=tuple(idle),
        rounds=tuple(rounds),
        kb_per_reader=None if grown[0] is None else grown[0] * 1000 / size.readers,
    )


async def _idle_delays(server: Server, agent: Agent, words: int) -> list[float]:
    delays = []
    async with (
        _readers(server, agent, 1) as readers_process,
        connected(server.port, 1) as (connection,),
    ):
        for _ in range(words):
            delays.append(await _emit(agent, connection, readers_process))
            await asyncio.sleep(PACE)
    return delays


async def _round(server: Server, agent: Agent, size: Size) -> tuple[Round, float | None]:
    alone = await tasks_per_second(server, size.connections, size.seconds)
    before = server.resident_mb()
    async with (
        _readers(server, agent, size.readers) as readers_process,
        connected(server.port, 1) as (connection,),
    ):
        after = server.resident_mb()
        speaking = asyncio.ensure_future(_speak(agent, connection, readers_process, size.seconds))
        together = await tasks_per_second(server, size.connections, size.seconds)
        delays = await speaking
    grown = None if before is None or after is None else max(0.0, after - before)
    return Round(alone=alone, together=together, delays=tuple(delays)), grown


async def _speak(
    agent: Agent, connection: Connection, readers_process: Process, seconds: float
) -> list[float]:
    delays = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        delays.append(await _emit(agent, connection, readers_process))
        await asyncio.sleep(max(0.0, SPOKEN_EVERY - delays[-1]))
    return delays


async def _emit(agent: Agent, connection: Connection, readers_process: Process) -> float:
    """Seconds from sending a word until the last reader has it."""
    sent = time.perf_counter()
    await connection.ask(agent.progress(), 202)
    _, at = (await _line(readers_process)).split()
    return float(at) - sent  # one monotonic clock for all processes of the machine


@asynccontextmanager
async def _readers(server: Server, agent: Agent, readers: int) -> AsyncIterator[Process]:
    """Opens `readers` streams that begin behind the newest event."""
    path = f"/v1/tasks/{agent.task_id}/events?after={await _newest(server, agent)}"
    program = ("-m", "tests.benchmarks.audience", str(server.port), path, str(readers))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdin is not None
        process.stdin.write(f"{server.tasks_key}\n".encode())
        assert await _line(process) == f"ready {readers}"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _newest(server: Server, agent: Agent) -> str:
    """The number of the task's newest event."""
    cursor = "0"
    authorization = {"authorization": f"Bearer {server.tasks_key}"}
    async with connected(server.port, 1) as (connection,):
        while True:
            path = f"/v1/tasks/{agent.task_id}/events?after={cursor}&limit=200"
            body = await connection.ask(request("GET", path, b"", authorization), 200)
            page = msgspec.json.decode(body, type=Page[EventView])
            if not page.data:
                return cursor
            cursor = page.next_cursor or cursor


async def _line(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode().strip()


def allow_files() -> None:
    """Every reader is an open file, here and in the gateway, which inherits this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
