"""Starts: the help of the command line, and a gateway until it is ready."""

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.cli.local.processes import without_slipgate
from tests.benchmarks.connection import ready
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.servers import gateway


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    rounds: int = 10


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each round."""

    python: tuple[float, ...]
    """An interpreter that does nothing."""
    help: tuple[float, ...]
    """`slipgate --help`."""
    ready: tuple[float, ...]
    """From the start of a gateway until `/readyz` says 200."""


async def section(size: Size) -> Section:
    """Starts one after the other; a first round only compiles what is imported."""
    with tempfile.TemporaryDirectory(prefix="slipgate-bench-") as made:
        rounds = [await _round(Path(made)) for _ in range(1 + size.rounds)]
    python, asked, served = zip(*rounds[1:], strict=True)
    measured = Measured(python=python, help=asked, ready=served)
    pairs = zip(measured.ready, measured.python, strict=True)
    ratio = statistics.median(ready / python for ready, python in pairs)
    return Section(
        name="starts",
        note=f"{size.rounds} rounds; the fastest, for whatever else runs only adds to it.",
        results=(
            Figure(name="python that does nothing", value=min(python) * 1000, unit="ms"),
            Figure(name="slipgate --help", value=min(asked) * 1000, unit="ms", most=200),
            Figure(name="start to ready", value=min(served) * 1000, unit="ms", most=400),
            Figure(name="start to ready : python, median", value=ratio, unit="×"),
        ),
        measured=measured,
    )


async def _round(folder: Path) -> tuple[float, float, float]:
    nothing = _seconds_of("-c", "pass")
    asked = _seconds_of("-m", "gateway", "--help")
    with gateway(folder / "gateway", is_anew=True) as server:
        await ready(server.port)
        return nothing, asked, time.perf_counter() - server.started_at


def _seconds_of(*arguments: str) -> float:
    began = time.perf_counter()
    program = [sys.executable, *arguments]
    subprocess.run(program, env=without_slipgate(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
