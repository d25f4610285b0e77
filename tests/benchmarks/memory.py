"""Memory of a gateway, which must not grow with the tasks it has accepted."""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.benchmarks.connection import ready
from tests.benchmarks.load import tasks_per_second
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import Server, gateway


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    tasks: int = 100_000
    warm: int = 2_000
    """Accepted before the first look: caches fill, code is loaded."""
    connections: int = 64
    turn: float = 1.0
    """Seconds of load between two looks at how many were accepted."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    tasks: int
    seconds: float
    before_mb: float
    after_mb: float


async def section(size: Size) -> Section:
    """Has one gateway accept the tasks, and weighs it before and after."""
    measured = await _measure(size)
    grown = measured.after_mb - measured.before_mb
    return Section(
        name=f"after {size.tasks:,} accepted tasks",
        note=f"resident memory, first weighed after {size.warm:,} tasks; "
        f"{measured.tasks:,} accepted in {measured.seconds:.0f} s.",
        results=(
            Figure(name="memory grown by", value=grown, unit="MB", most=30),
            Figure(name="memory, then", value=measured.after_mb, unit="MB"),
        ),
        measured=measured,
    )


async def _measure(size: Size) -> Measured:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-"))
        server = stack.enter_context(gateway(Path(folder)))
        await ready(server.port)
        await _accept(server, size.warm, size)
        before = server.resident_mb()
        began = time.perf_counter()
        accepted = await _accept(server, size.tasks, size)
        after = server.resident_mb()
        return Measured(
            tasks=accepted,
            seconds=time.perf_counter() - began,
            before_mb=before or 0.0,
            after_mb=after or 0.0,
        )


async def _accept(server: Server, tasks: int, size: Size) -> int:
    """At least so many."""
    accepted = 0
    while accepted < tasks:
        began = time.perf_counter()
        rate = await tasks_per_second(server, size.connections, size.turn)
        accepted += round(rate * (time.perf_counter() - began))
    return accepted
