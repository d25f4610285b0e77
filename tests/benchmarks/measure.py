"""One run: the idle gateway first, then rounds in which every load has its turn."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.connection import ready
from tests.benchmarks.load import (
    handover_seconds,
    running_agents,
    tasks_per_second,
    words_per_second,
)
from tests.benchmarks.results import Measured, Round
from tests.benchmarks.servers import ONE_COMMIT, Server, floor, gateway, yardstick


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    connections: int = 64
    rounds: int = 10
    seconds: float = 1.0
    """Of each load, in each round."""
    handovers: int = 200


@dataclass(frozen=True, kw_only=True)
class _Field:
    yardstick: Server
    floor: Server
    gateway: Server
    one_commit: Server


async def measure(size: Size) -> Measured:
    """Starts the servers, measures, and stops them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-")))
        ours = stack.enter_context(gateway(folder / "grouped"))
        await ready(ours.port)
        idle_mb = ours.resident_mb()
        waits = await handover_seconds(ours, size.handovers)
        field = _Field(
            yardstick=stack.enter_context(yardstick()),
            floor=stack.enter_context(floor(folder)),
            gateway=ours,
            one_commit=stack.enter_context(gateway(folder / "one-commit", ONE_COMMIT)),
        )
        await ready(field.yardstick.port)
        await ready(field.floor.port)
        await ready(field.one_commit.port)
        await _round(field, size.connections, size.seconds / 4)  # warms everything up
        rounds = [await _round(field, size.connections, size.seconds) for _ in range(size.rounds)]
    return Measured(
        connections=size.connections,
        rounds=tuple(rounds),
        handover_seconds=tuple(waits),
        idle_mb=idle_mb,
    )


async def _round(field: _Field, connections: int, seconds: float) -> Round:
    # New ones each time: an agent says some hundred words in its life, not thousands.
    agents = await running_agents(field.gateway, connections)
    return Round(
        yardstick=await tasks_per_second(field.yardstick, connections, seconds),
        floor=await tasks_per_second(field.floor, connections, seconds),
        tasks=await tasks_per_second(field.gateway, connections, seconds),
        words=await words_per_second(field.gateway, agents, seconds),
        one_commit=await tasks_per_second(field.one_commit, connections, seconds),
    )
