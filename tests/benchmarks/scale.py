"""The cost of a file with a million tasks: two gateways, in turn."""

import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.filling import fill
from tests.benchmarks.operations import OPERATIONS, MeasuredGateway, measured
from tests.benchmarks.report import Figure, Section

MOST: Final = 1.5
"""Times its cost in the small file."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    tasks: int = 1_000_000
    small: int = 1_000
    rounds: int = 10
    samples: int = 15
    """Of each operation on each gateway, in each round."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The fastest of each round, in milliseconds."""

    small: tuple[float, ...]
    large: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: both sides of each met the same machine."""
        pairs = zip(self.large, self.small, strict=True)
        return statistics.median(large / small for large, small in pairs)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    tasks: int
    small: int
    fill_seconds: float
    start_seconds: float
    costs: dict[str, Cost]


async def section(size: Size) -> Section:
    """Fills two files, and asks the same of the gateways on both."""
    measured = await _measure(size)
    ratios = [
        Figure(name=f"{name}, large : small", value=cost.ratio, unit="×", most=MOST)
        for name, cost in measured.costs.items()
    ]
    idle = statistics.median(measured.costs["reconcile, nothing due"].large)
    return Section(
        name=f"with {size.tasks:,} tasks in the file",
        note=f"against {size.small:,} tasks; the fastest of {size.samples} requests in each of "
        f"{size.rounds} rounds, one at a time; filled in {measured.fill_seconds:.0f} s.",
        results=(
            *ratios,
            Figure(name="reconcile step, nothing due", value=idle, unit="ms", most=1),
            Figure(name="from start to ready", value=measured.start_seconds, unit="s"),
        ),
        measured=measured,
    )


async def _measure(size: Size) -> Measured:
    async with AsyncExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="slipgate-bench-")
        folder = Path(stack.enter_context(made))
        began = time.perf_counter()
        await fill(folder / "large" / "slipgate.db", size.tasks, living=size.tasks // 100)
        await fill(folder / "small" / "slipgate.db", size.small, living=size.small // 10)
        filled = time.perf_counter()
        large = await stack.enter_async_context(measured(folder / "large"))
        started = time.perf_counter()
        small = await stack.enter_async_context(measured(folder / "small"))
        costs = await _costs((small, large), size)
    return Measured(
        tasks=size.tasks,
        small=size.small,
        fill_seconds=filled - began,
        start_seconds=started - filled,
        costs=costs,
    )


async def _costs(pair: tuple[MeasuredGateway, MeasuredGateway], size: Size) -> dict[str, Cost]:
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in OPERATIONS}
    for name in OPERATIONS:
        for asked in pair:
            await _least_ms(asked, name, 3)  # warms it up
    for number in range(size.rounds):
        for name, both in found.items():
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                both[side].append(await _least_ms(pair[side], name, size.samples))
    return {
        name: Cost(small=tuple(small), large=tuple(large)) for name, (small, large) in found.items()
    }


async def _least_ms(asked: MeasuredGateway, name: str, samples: int) -> float:
    """The fastest: whatever else runs on the machine only ever adds to it."""
    operation = OPERATIONS[name]
    return min([await operation(asked) for _ in range(samples)]) * 1000
