"""Throughput and hand-over: what was measured, as figures."""

import statistics
from collections.abc import Callable
from typing import Final

import msgspec

from tests.benchmarks.report import Figure, Section, percentile


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of every load, one after the other: replies per second."""

    yardstick: float
    floor: float
    tasks: float
    words: float
    one_commit: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    connections: int
    rounds: tuple[Round, ...]
    handover_seconds: tuple[float, ...]
    idle_mb: float | None
    """None: this system does not say."""


RATES: Final = ("yardstick", "floor", "tasks", "words", "one_commit")


def figures_of(measured: Measured) -> tuple[Figure, ...]:
    """Ratios are medians over the ratios of each round: its parts met the same machine."""
    rounds = measured.rounds

    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    waits = [seconds * 1000 for seconds in measured.handover_seconds]
    results = [
        Figure(name="yardstick, stores nothing", value=median(lambda r: r.yardstick), unit="/s"),
        Figure(
            name="floor, stores and does nothing else", value=median(lambda r: r.floor), unit="/s"
        ),
        Figure(name="tasks accepted", value=median(lambda r: r.tasks), unit="/s"),
        Figure(name="tasks, one commit each", value=median(lambda r: r.one_commit), unit="/s"),
        Figure(name="agent webhooks accepted", value=median(lambda r: r.words), unit="/s"),
        Figure(
            name="tasks : yardstick",
            value=median(lambda r: r.tasks / r.yardstick),
            unit="×",
            least=0.55,
        ),
        Figure(name="floor : yardstick", value=median(lambda r: r.floor / r.yardstick), unit="×"),
        Figure(name="tasks : floor", value=median(lambda r: r.tasks / r.floor), unit="×"),
        Figure(
            name="tasks : one commit each",
            value=median(lambda r: r.tasks / r.one_commit),
            unit="×",
            least=5,
        ),
        Figure(
            name="agent webhooks : yardstick",
            value=median(lambda r: r.words / r.yardstick),
            unit="×",
            least=0.5,
        ),
        Figure(name="POST to launcher, p50", value=percentile(waits, 50), unit="ms", most=20),
        Figure(name="POST to launcher, p99", value=percentile(waits, 99), unit="ms", most=100),
    ]
    if measured.idle_mb is not None:
        results.append(Figure(name="memory, idle", value=measured.idle_mb, unit="MB", most=80))
    return tuple(results)


def throughput(measured: Measured) -> Section:
    """The section of the report."""
    return Section(
        name="throughput",
        note=f"{len(measured.rounds)} rounds, {measured.connections} connections, "
        "synchronous=FULL; ratios are medians of the rounds' ratios.",
        results=figures_of(measured),
        measured=measured,
    )
