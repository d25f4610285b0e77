"""Reads that explain one task: bounded, and the newest first."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from msgspec.structs import replace

from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import Realm
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import (
    Clocks,
    Status,
    Task,
    Timeouts,
)
from tests.stores import NewDatabase, OpenedStore, write

TASK: Final = Task(
    id="task_1",
    project="default",
    status=Status.RUNNING,
    attempt=1,
    max_attempts=1,
    seq=30,
    created_at=1,
    updated_at=1,
    timeouts=Timeouts(),
    concurrency_key="acme/widgets",
    clocks=Clocks(run=1),
)
OTHERS: Final = (
    replace(TASK, id="task_2", status=Status.LAUNCHING),
    replace(TASK, id="task_3", status=Status.QUEUED),
    replace(TASK, id="task_4", project="elsewhere"),
    replace(TASK, id="task_5", concurrency_key=None),
)
JOBS: Final = (
    Job(id="job_1-1-create", kind="create", task_id="task_1", attempt=1, closed_at=5),
    Job(id="job_1-1-destroy", kind="destroy", task_id="task_1", attempt=1),
)


@pytest.fixture
async def store(database: NewDatabase) -> AsyncIterator[OpenedStore]:
    async with database.opened() as opened:
        view = UnitOfWork(policy=Policy(key_id="k1"))
        for task in (TASK, *OTHERS):
            view.tasks.create(task)
        for number in range(1, 31):
            view.events.put(_event(number))
        for job in JOBS:
            view.jobs.put(job)
        for name, at in (("launcher-a", 100), ("launcher-b", 300), ("launcher-c", 200)):
            view.launchers.put(_call(name, at))
            view.realms.put(_realm(f"of-{name}", 1_000 - at))
        await write(opened, view)
        yield opened


def _event(number: int) -> Event:
    return Event(
        task_id="task_1",
        task_seq=number,
        attempt=1,
        type="task.heartbeat",
        at=number,
        source="agent",
        data=b"{}",
    )


def _realm(name: str, due_at: int) -> Realm:
    return Realm(provider="local", realm=name, project="", called_at=1, due_at=due_at)


def _call(name: str, at: int) -> LauncherCall:
    return LauncherCall(
        launcher_id=name, providers=(("local", "here"),), capacity=1, version="1", at=at
    )


async def test_the_newest_events_come_oldest_first(store: OpenedStore) -> None:
    newest = await store.reads.newest_events("task_1", 3)
    assert [event.task_seq for event in newest] == [28, 29, 30]


async def test_jobs_are_found_by_their_names_closed_ones_too(store: OpenedStore) -> None:
    names = [*(job.id for job in JOBS), "job_1-1-inspect"]
    found = await store.reads.jobs(names)
    assert sorted(found, key=lambda job: job.id) == list(JOBS)


@pytest.mark.parametrize(
    ("task", "holders"),
    [(OTHERS[1], {"task_1", "task_2"}), (OTHERS[2], {"task_4"}), (OTHERS[3], set())],
    ids=["of its project", "of another project", "without a key"],
)
async def test_a_concurrency_key_is_held_by_what_launches_or_runs(
    store: OpenedStore, task: Task, holders: set[str]
) -> None:
    assert set(await store.reads.key_holders(task, 10)) == holders


async def test_launchers_are_remembered_the_latest_first(store: OpenedStore) -> None:
    calls = await store.reads.recent_launchers("default", 2)
    assert [call.launcher_id for call in calls] == ["launcher-b", "launcher-c"]


async def test_sweeps_are_listed_by_their_realms(store: OpenedStore) -> None:
    realms = [realm.realm for realm, _ in await store.reads.sweeps(10)]
    assert realms == ["of-launcher-a", "of-launcher-b", "of-launcher-c"]


async def test_the_newest_events_of_some_types_are_read_backwards(store: OpenedStore) -> None:
    reads, kinds = store.reads, ["task.heartbeat"]
    assert await reads.newest_events("task_1", 3, ["task.log"]) == []
    newest = await reads.newest_events("task_1", 3, kinds)
    earlier = await reads.newest_events("task_1", 3, kinds, before=newest[0].seq)
    assert [event.task_seq for event in (*earlier, *newest)] == [25, 26, 27, 28, 29, 30]
