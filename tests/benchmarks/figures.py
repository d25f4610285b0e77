"""What was measured, as figures beside the least or the most they may be."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of every load, one after the other: replies per second."""

    yardstick: float
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


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is where it should be; a figure without a target always is."""
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON: figures, what they are made of, and the machine."""

    python: str
    machine: str
    cpus: int | None
    figures: tuple[Figure, ...]
    measured: Measured


RATES: Final = ("yardstick", "tasks", "words", "one_commit")


def figures_of(measured: Measured) -> tuple[Figure, ...]:
    """Ratios are medians over the ratios of each round: its parts met the same machine."""
    rounds = measured.rounds

    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    waits = [seconds * 1000 for seconds in measured.handover_seconds]
    figures = [
        Figure(name="yardstick, stores nothing", value=median(lambda r: r.yardstick), unit="/s"),
        Figure(name="tasks accepted", value=median(lambda r: r.tasks), unit="/s"),
        Figure(name="tasks, one commit each", value=median(lambda r: r.one_commit), unit="/s"),
        Figure(name="agent webhooks accepted", value=median(lambda r: r.words), unit="/s"),
        Figure(
            name="tasks : yardstick",
            value=median(lambda r: r.tasks / r.yardstick),
            unit="×",
            least=0.45,
        ),
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
            least=0.35,
        ),
        Figure(name="POST to launcher, p50", value=_percentile(waits, 50), unit="ms", most=20),
        Figure(name="POST to launcher, p99", value=_percentile(waits, 99), unit="ms", most=100),
    ]
    if measured.idle_mb is not None:
        figures.append(Figure(name="memory, idle", value=measured.idle_mb, unit="MB", most=80))
    return tuple(figures)


def report_of(measured: Measured) -> Report:
    """The run with the machine it was on."""
    return Report(
        python=platform.python_version(),
        machine=platform.platform(),
        cpus=os.cpu_count(),
        figures=figures_of(measured),
        measured=measured,
    )


def show(report: Report, screen: Console) -> None:
    """The table."""
    title = f"Python {report.python}, {report.cpus} CPUs, {report.machine}"
    table = Table("figure", box=None, pad_edge=False, title=title, title_justify="left")
    for column in ("median", "", "target", ""):
        table.add_column(column, justify="right" if column in {"median", "target"} else "left")
    for figure in report.figures:
        verdict = "[green]met[/]" if figure.is_met else "[red]missed[/]"
        target = _target(figure)
        value = f"{figure.value:,.{_digits(figure.value)}f}"
        table.add_row(figure.name, value, figure.unit, target, verdict if target else "")
    screen.print(table)
    screen.print(
        f"{len(report.measured.rounds)} rounds, {report.measured.connections} connections, "
        "synchronous=FULL; ratios are medians of the rounds' ratios.",
        style="dim",
    )


def _target(figure: Figure) -> str:
    if figure.least is not None:
        return f"≥ {figure.least:g}"
    return "" if figure.most is None else f"≤ {figure.most:g}"


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
