"""Figures beside the least or the most they may be, as a table and as JSON."""

import os
import platform
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def is_met(self) -> bool:
        """True if the target is met or there is none."""
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A group of measurements: results, method and raw data."""

    name: str
    note: str
    results: tuple[Figure, ...]
    measured: msgspec.Struct


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON: the sections, and the machine they were measured on."""

    python: str = platform.python_version()
    machine: str = platform.platform()
    cpus: int | None = os.cpu_count()
    sections: tuple[Section, ...]

    @property
    def missed(self) -> list[Figure]:
        """The figures that are not where they should be."""
        return [
            figure for section in self.sections for figure in section.results if not figure.is_met
        ]


def show_machine(report: Report, screen: Console) -> None:
    """The line above the tables."""
    screen.print(f"Python {report.python}, {report.cpus} CPUs, {report.machine}", style="italic")


def show(section: Section, screen: Console) -> None:
    """The table of one section."""
    table = Table(section.name, box=None, pad_edge=False)
    for column in ("median", "", "target", ""):
        table.add_column(column, justify="right" if column in {"median", "target"} else "left")
    for figure in section.results:
        verdict = "[green]met[/]" if figure.is_met else "[red]missed[/]"
        target = _target(figure)
        value = f"{figure.value:,.{_digits(figure.value)}f}"
        table.add_row(figure.name, value, figure.unit, target, verdict if target else "")
    screen.print(table)
    screen.print(section.note, style="dim")
    screen.print()


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many in a hundred lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _target(figure: Figure) -> str:
    if figure.least is not None:
        return f"≥ {figure.least:g}"
    return "" if figure.most is None else f"≤ {figure.most:g}"


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2
