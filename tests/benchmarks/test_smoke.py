"""The benchmark itself, with tiny counts: it works; how fast things are is not asked here."""

import io

from rich.console import Console

from tests.benchmarks.figures import Figure, report_of, show
from tests.benchmarks.measure import Size, measure

TINY = Size(connections=2, rounds=1, seconds=0.1, handovers=2)


async def test_every_load_is_measured_and_shown() -> None:
    report = report_of(await measure(TINY))
    table = io.StringIO()
    show(report, Console(file=table, width=100))
    assert all(figure.value > 0 for figure in report.figures)
    assert all(figure.name in table.getvalue() for figure in report.figures)


def test_a_figure_is_met_up_to_its_target() -> None:
    ratio = Figure(name="ratio", value=0.45, unit="×", least=0.45)
    wait = Figure(name="wait", value=20.1, unit="ms", most=20)
    assert ratio.is_met
    assert not wait.is_met
