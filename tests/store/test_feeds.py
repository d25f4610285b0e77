"""Feeds as the store keeps them: where they begin once retention has cut into them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.domain.commands import Policy
from gateway.domain.event import Event
from gateway.domain.view import View
from gateway.store.sqlite import SQLiteStore, open_sqlite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as opened:
        yield opened


async def test_the_log_of_a_task_goes_on_behind_any_number(store: SQLiteStore) -> None:
    numbers: dict[str, list[int]] = {"task_1": [], "task_2": []}
    async with store.transaction() as batch:
        view = View(policy=Policy(key_id="k1"))
        for seq, task_id in enumerate(("task_1", "task_2", "task_2", "task_1", "task_1"), 1):
            numbers[task_id].append(seq)
            view.put_event(event(task_id, len(numbers[task_id])))
        await batch.write(view)
    for task_id, known in numbers.items():
        for after in range(7):
            found = await store.reads.events_of_task(task_id, after=after, limit=2)
            assert [event.seq for event in found] == [seq for seq in known if seq > after][:2]


def event(task_id: str, task_seq: int) -> Event:
    return Event(
        task_id=task_id,
        task_seq=task_seq,
        attempt=1,
        type="task.heartbeat",
        at=1_000,
        source="agent",
        data=b"{}",
    )
