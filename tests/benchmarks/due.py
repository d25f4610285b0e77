"""Ten thousand clocks that come due at once: how soon they are judged, and what intake keeps."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiosqlite
import msgspec

from tests.benchmarks.connection import ready
from tests.benchmarks.filling import fill
from tests.benchmarks.lives import running
from tests.benchmarks.load import tasks_per_second
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import Server, gateway

LOOK_EVERY: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    due: int = 10_000
    connections: int = 64
    seconds: float = 8.0
    """Of the intake alone, before the clocks come due and after they were judged, in all."""
    start: float = 5.0
    """Seconds that a gateway has to start before its intake is measured alone."""
    slice: float = 0.5
    """Seconds of each measurement of the intake."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run: accepted tasks per second in each slice."""

    due: int
    judged_seconds: float
    before: tuple[float, ...]
    meanwhile: tuple[float, ...]
    after: tuple[float, ...]


async def section(size: Size) -> Section:
    """Fills a file with running tasks, all with the same deadline, and lets it pass."""
    measured = await _measure(size)
    alone = statistics.median((*measured.before, *measured.after))
    kept = statistics.median(measured.meanwhile) / alone
    return Section(
        name=f"{size.due:,} clocks due at once",
        note=f"heartbeats of running tasks; {size.connections} connections of intake beside it, in "
        f"slices of {size.slice:g} s.",
        results=(
            Figure(name="until all are judged", value=measured.judged_seconds, unit="s", most=10),
            Figure(name="intake: intake alone", value=kept, unit="×", least=0.7),
        ),
        measured=measured,
    )


async def _measure(size: Size) -> Measured:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
        path = folder / "slipgate.db"
        await fill(path, size.due, living=size.due, alive={running: 1})
        due_at = time.time() + size.start + size.seconds / 2
        _come_due(path, round(due_at * 1000))
        server = stack.enter_context(gateway(folder))
        await ready(server.port)
        return await _watch(server, path, due_at, size)


async def _watch(server: Server, path: Path, due_at: float, size: Size) -> Measured:
    async def slice_until(end: float) -> list[float]:
        rates = [await tasks_per_second(server, size.connections, size.slice)]
        while time.time() < end:
            rates.append(await tasks_per_second(server, size.connections, size.slice))
        return rates

    before = await slice_until(due_at - size.slice)
    await asyncio.sleep(max(0.0, due_at - time.time()))
    judging = asyncio.ensure_future(_until_judged(path, round(due_at * 1000)))
    meanwhile = []
    while not judging.done():
        meanwhile.append(await tasks_per_second(server, size.connections, size.slice))
    after = await slice_until(time.time() + size.seconds / 2)
    return Measured(
        due=size.due,
        judged_seconds=await judging - due_at,
        before=tuple(before[1:]),  # the first one warms it up
        meanwhile=tuple(meanwhile),
        after=tuple(after),
    )


def _come_due(path: Path, moment: int) -> None:
    """All of them at this moment (milliseconds)."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "UPDATE tasks SET due_at = :at, clocks = json_set(clocks, '$.heartbeat', :at)",
            {"at": moment},
        )
        database.commit()


async def _until_judged(path: Path, moment: int) -> float:
    """The time at which nothing was due any more."""
    uri = f"{path.as_uri()}?mode=ro"
    async with aiosqlite.connect(uri, uri=True, isolation_level=None) as reader:
        while True:
            left = "SELECT 1 FROM tasks WHERE due_at <= ? LIMIT 1"
            if not await reader.execute_fetchall(left, (moment,)):
                return time.time()
            await asyncio.sleep(LOOK_EVERY)
