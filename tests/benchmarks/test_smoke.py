"""The benchmark itself, with tiny counts: it works; how fast things are is not asked here."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.store.sqlite.admin.audit import audit
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
    memory,
    neighbours,
    pages,
    readers,
    scale,
    starts,
)
from tests.benchmarks.filling import fill
from tests.benchmarks.measure import Size, measure
from tests.benchmarks.report import Figure, Section, show
from tests.benchmarks.results import throughput
from tests.postgres.cluster import MISSING, programs

TINY = Size(connections=2, rounds=1, seconds=0.05, handovers=2)


async def test_every_load_is_measured_and_shown() -> None:
    _is_whole(throughput(await measure(TINY)))


async def test_messages_are_measured_through_all_that_are_there() -> None:
    size = beside.Size(messages=8, rounds=1, connections=2, samples=1)
    found = await beside.section(size)
    assert all(each.value > 0 for each in found.results if each.unit == "/s")


async def test_every_operation_is_measured_on_both_files() -> None:
    _is_whole(await scale.section(scale.Size(tasks=300, small=100, rounds=1, samples=1)))


async def test_every_page_is_measured() -> None:
    _is_whole(await pages.section(pages.Size(tasks=300, living=30, samples=1)))


async def test_readers_are_told_and_intake_is_measured_beside_them() -> None:
    size = readers.Size(readers=5, connections=2, rounds=1, seconds=0.05, words=2)
    _is_whole(await readers.section(size))


async def test_clocks_that_come_due_at_once_are_judged_beside_the_intake() -> None:
    size = due.Size(due=50, connections=2, seconds=0.2, start=1, slice=0.1)
    _is_whole(await due.section(size))


async def test_deliveries_are_measured_beside_httpx_and_beside_receivers_that_hang() -> None:
    size = deliveries.Size(rounds=1, deliveries=20, samples=2, endpoints=4, hanging=1, tasks=2)
    _is_whole(await deliveries.section(size))


async def test_starts_are_measured() -> None:
    _is_whole(await starts.section(starts.Size(rounds=1)))


async def test_a_quiet_project_is_measured_beside_a_loud_one() -> None:
    size = neighbours.Size(
        samples=3, warm=1, hanging=3, undeliverable=3, polls=5, halves=5, origins=4, connections=2
    )
    _is_whole(await neighbours.section(size))


async def test_health_is_measured_beside_bodies_made_to_be_slow() -> None:
    _is_whole(await floods.section(floods.Size(connections=1, checks=2)))


async def test_messages_are_stored_and_delivered_and_the_cpu_of_each_path_is_counted() -> None:
    size = end_to_end.Size(messages=10, rounds=1, connections=2, samples=2, per_second=50)
    found = await end_to_end.section(size)
    assert found.results[0].value > 0  # its lag may be below zero
    _is_whole(await cpu.section(cpu.Size(rounds=1, requests=10, origins=10, connections=2)))


@pytest.mark.skipif(programs() is None, reason=MISSING)
async def test_gateways_on_postgresql_are_measured_beside_one_on_a_file() -> None:
    _is_whole(await gateways.section(gateways.Size(rounds=1, seconds=0.05, connections=2)))


async def test_claims_are_measured_beside_those_that_wait() -> None:
    _is_whole(await claims.section(claims.Size(tasks=20, samples=4)))


async def test_the_steps_of_git_are_measured_beside_a_plain_clone() -> None:
    _is_whole(await git_work.section(git_work.Size(files=100, changed=50, rounds=1)))


async def test_a_gateway_is_weighed_before_and_after() -> None:
    found = await memory.section(memory.Size(tasks=20, warm=20, connections=2, turn=0.1))
    assert found.results[1].value > 0


async def test_a_filled_database_is_what_its_events_tell(tmp_path: Path) -> None:
    await fill(tmp_path / "slipgate.db", 300, living=100)
    found = audit(tmp_path / "slipgate.db")
    assert (found.tasks, found.pending, found.problems) == (300, 0, ())


def test_a_figure_is_met_up_to_its_target() -> None:
    ratio = Figure(name="ratio", value=0.45, unit="×", least=0.45)
    wait = Figure(name="wait", value=20.1, unit="ms", most=20)
    assert ratio.is_met
    assert not wait.is_met


def _is_whole(section: Section) -> None:
    table = io.StringIO()
    show(section, Console(file=table, width=100))
    assert all(figure.value > 0 for figure in section.results if figure.unit != "kB")
    assert all(figure.name in table.getvalue() for figure in section.results)
