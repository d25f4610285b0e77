"""`make bench`: measures, prints the table, writes the JSON."""

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console

from tests.benchmarks.figures import report_of, show
from tests.benchmarks.measure import Size, measure


def main() -> int:
    """The exit code: 0, or with `--check` 1 if a figure misses its target."""
    options = _options()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(measure(Size(rounds=options.rounds, seconds=options.seconds)))
    report = report_of(measured)
    show(report, Console())
    if options.json is not None:
        text = msgspec.json.format(msgspec.json.encode(report))
        Path(options.json).write_bytes(text + b"\n")
    missed = [figure for figure in report.figures if not figure.is_met]
    return 1 if options.check and missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write figures and rounds there")
    parser.add_argument("--check", action="store_true", help="exit 1 below a target")
    parser.add_argument("--rounds", type=int, default=Size.rounds)
    parser.add_argument("--seconds", type=float, default=Size.seconds, help="of each load")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
