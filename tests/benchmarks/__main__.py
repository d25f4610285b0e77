"""`make bench`: measures, prints the tables, writes the JSON."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import uvloop
from rich.console import Console

from tests.benchmarks import (
    beside,
    claims,
    cpu,
    deliveries,
    due,
    end_to_end,
    floods,
    gateways,
    git_work,
    launches,
    memory,
    neighbours,
    pages,
    readers,
    scale,
    starts,
)
from tests.benchmarks.measure import Size, measure
from tests.benchmarks.report import Report, Section, show, show_machine
from tests.benchmarks.results import throughput


async def _throughput(options: argparse.Namespace) -> Section:
    return throughput(await measure(Size(rounds=options.rounds, seconds=options.seconds)))


async def _cpu(options: argparse.Namespace) -> Section:
    return await cpu.section(cpu.Size(rounds=min(5, options.rounds)))


async def _scale(options: argparse.Namespace) -> Section:
    return await scale.section(scale.Size(tasks=options.tasks))


async def _pages(options: argparse.Namespace) -> Section:
    return await pages.section(pages.Size(tasks=options.tasks, living=options.tasks // 100))


async def _due(_: argparse.Namespace) -> Section:
    return await due.section(due.Size())


async def _memory(_: argparse.Namespace) -> Section:
    return await memory.section(memory.Size())


async def _readers(_: argparse.Namespace) -> Section:
    return await readers.section(readers.Size())


async def _launches(options: argparse.Namespace) -> Section:
    return await launches.section(launches.Size(launches=options.launches))


async def _deliveries(options: argparse.Namespace) -> Section:
    return await deliveries.section(deliveries.Size(rounds=min(5, options.rounds)))


async def _end_to_end(_: argparse.Namespace) -> Section:
    return await end_to_end.section(end_to_end.Size())


async def _beside(options: argparse.Namespace) -> Section:
    size = beside.Size(outpost=options.outpost, outpost_key=os.environ.get("OUTPOST_API_KEY", ""))
    return await beside.section(size)


async def _claims(_: argparse.Namespace) -> Section:
    return await claims.section(claims.Size())


async def _floods(_: argparse.Namespace) -> Section:
    return await floods.section(floods.Size())


async def _starts(options: argparse.Namespace) -> Section:
    return await starts.section(starts.Size(rounds=options.rounds))


async def _neighbours(_: argparse.Namespace) -> Section:
    return await neighbours.section(neighbours.Size())


async def _gateways(options: argparse.Namespace) -> Section:
    return await gateways.section(gateways.Size(rounds=options.rounds, seconds=options.seconds))


async def _git(options: argparse.Namespace) -> Section:
    return await git_work.section(git_work.Size(rounds=min(3, options.rounds)))


SECTIONS: Final[dict[str, Callable[[argparse.Namespace], Awaitable[Section]]]] = {
    "throughput": _throughput,
    "cpu": _cpu,
    "scale": _scale,
    "pages": _pages,
    "due": _due,
    "readers": _readers,
    "memory": _memory,
    "launches": _launches,
    "deliveries": _deliveries,
    "end-to-end": _end_to_end,
    "gateways": _gateways,
    "git": _git,
    "neighbours": _neighbours,
    "floods": _floods,
    "claims": _claims,
    "starts": _starts,
    "beside": _beside,
}


def main() -> int:
    """The exit code: 0, or with `--check` 1 if a figure misses its target."""
    options = _options()
    screen = Console()
    sections: list[Section] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name in options.only or SECTIONS:
            section = runner.run(_measured(name, options))
            sections.append(section)
            show(section, screen)
    report = Report(sections=tuple(sections))
    show_machine(report, screen)
    if options.json is not None:
        text = msgspec.json.format(msgspec.json.encode(report))
        Path(options.json).write_bytes(text + b"\n")
    return 1 if options.check and report.missed else 0


async def _measured(name: str, options: argparse.Namespace) -> Section:
    return await SECTIONS[name](options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="measure these sections")
    parser.add_argument("--json", metavar="FILE", help="write figures and rounds there")
    parser.add_argument("--check", action="store_true", help="exit 1 below a target")
    parser.add_argument("--rounds", type=int, default=Size.rounds)
    parser.add_argument("--seconds", type=float, default=Size.seconds, help="of each load")
    parser.add_argument("--tasks", type=int, default=scale.Size.tasks, help="in the large file")
    parser.add_argument("--launches", type=int, default=launches.Size.launches)
    parser.add_argument(
        "--outpost", metavar="URL", help="one on this machine, to measure beside (OUTPOST_API_KEY)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
