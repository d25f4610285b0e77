"""Feeds as the store keeps them: in order, and with bounded work."""

from collections.abc import AsyncIterator, Iterable
from itertools import product
from typing import Final

import pytest

from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import (
    Clocks,
    Status,
    Task,
    Timeouts,
)
from gateway.store.sql.connection import Query
from gateway.store.sql.events import read_feed
from tests.stores import NewDatabase, OpenedStore, write

Wanted = tuple[str | None, list[str] | None, Iterable[int]]
"""(project, types, the numbers that are expected)."""


@pytest.fixture
async def store(database: NewDatabase) -> AsyncIterator[OpenedStore]:
    async with database.opened() as opened:
        yield opened


@pytest.fixture
async def reader(database: NewDatabase, store: OpenedStore) -> AsyncIterator[Query]:
    async with database.connected() as query:
        yield query


async def test_the_log_of_a_task_goes_on_behind_any_number(store: OpenedStore) -> None:
    numbers: dict[str, list[int]] = {"task_1": [], "task_2": []}
    view = UnitOfWork(policy=Policy(key_id="k1"))
    for seq, task_id in enumerate(("task_1", "task_2", "task_2", "task_1", "task_1"), 1):
        numbers[task_id].append(seq)
        view.events.put(event(task_id, len(numbers[task_id])))
    await write(store, view)
    for task_id, known in numbers.items():
        for after in range(7):
            found = await store.reads.events_of_task(task_id, after=after, limit=2)
            assert [event.seq for event in found] == [seq for seq in known if seq > after][:2]


async def fill(store: OpenedStore) -> None:
    """60 events of two projects' tasks in turns; every tenth is a progress, the others a pulse."""
    view = UnitOfWork(policy=Policy(key_id="k1"))
    for task_id, project in (("task_1", "acme"), ("task_2", "default")):
        view.tasks.create(
            Task(
                id=task_id,
                project=project,
                status=Status.QUEUED,
                attempt=1,
                max_attempts=1,
                seq=30,
                created_at=1,
                updated_at=1,
                timeouts=Timeouts(),
                clocks=Clocks(queue=1),
            )
        )
    for number in range(60):
        kind = "task.progress" if number % 10 == 0 else "task.heartbeat"
        view.events.put(event(f"task_{number % 2 + 1}", number // 2 + 1, kind))
    await write(store, view)


FEEDS: Final[tuple[Wanted, ...]] = (
    (None, None, range(1, 61)),  # everything
    ("acme", None, range(1, 61, 2)),  # one project
    ("acme", ["task.progress"], range(1, 61, 10)),  # one type
    ("default", ["task.progress"], []),  # a type that never comes
    ("nobody", None, []),  # a project without tasks
)


async def test_a_feed_goes_on_at_its_cursor_to_its_end_whatever_lies_between(
    store: OpenedStore, reader: Query
) -> None:
    await fill(store)
    for (project, types, expected), limit, budget in product(FEEDS, (1, 4, 200), (1, 10, 1_000)):
        seen: list[int] = []
        after, is_end = 0, False
        while not is_end:
            page = await read_feed(reader, project, types, after=after, limit=limit, budget=budget)
            assert len(page.events) <= limit
            assert page.is_end or page.cursor > after
            seen += [each.seq for each in page.events]
            after, is_end = page.cursor, page.is_end
        assert (seen, after) == (list(expected), 60)


def event(task_id: str, task_seq: int, kind: str = "task.heartbeat") -> Event:
    return Event(
        task_id=task_id,
        task_seq=task_seq,
        attempt=1,
        type=kind,
        at=1_000,
        source="agent",
        data=b"{}",
    )
