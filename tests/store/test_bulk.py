"""Bulk actions on a real database: each task has its turn once, whatever is cut off in between."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.domain.operations.bulk import (
    PAGE,
    AbortBulk,
    AdvanceBulk,
    BulkAction,
    BulkReply,
    StartBulk,
)
from gateway.domain.tasks.retention import KEPT_LONG
from gateway.domain.tasks.task import Status
from gateway.ledger import Ledger
from tests.store.test_ledger import creation
from tests.stores import NewDatabase, OpenedStore, ledger_on

COUNT = PAGE + 20
BULK = BulkAction(
    id="bulk_1",
    action="cancel",
    project="default",
    filter="{}",
    reason="an outage",
    matched=COUNT,
    created_at=0,
    updated_at=0,
)


@pytest.fixture
def database(database: NewDatabase) -> Iterator[NewDatabase]:
    """One in which every invariant still holds at the end of the test."""
    yield database
    assert database.problems() == ()


async def begun(ledger: Ledger, count: int = COUNT) -> tuple[str, ...]:
    """Queued tasks that are all to be cancelled; their ids."""
    made = [creation(number) for number in range(count)]
    await asyncio.gather(*(ledger.submit(command) for command in made))
    ids = tuple(command.task_id for command in made)
    await ledger.submit(StartBulk(bulk=BULK, task_ids=ids, actor="key:key_1"))
    return ids


async def advanced(ledger: Ledger) -> BulkAction:
    answer = await ledger.submit(AdvanceBulk(bulk_id=BULK.id))
    assert isinstance(answer, BulkReply)
    return answer.bulk


async def ended(store: OpenedStore, ids: tuple[str, ...]) -> int:
    tasks = [found[0] for task_id in ids if (found := await store.reads.task(task_id))]
    assert all(task.seq <= 3 for task in tasks)  # none was cancelled twice
    return sum(task.status is Status.CANCELLED for task in tasks)


async def test_it_goes_on_after_a_restart_where_it_stood(database: NewDatabase) -> None:
    async with ledger_on(database) as (ledger, store):
        ids = await begun(ledger)
        assert await ended(store, ids) == 0
        first = await advanced(ledger)
        assert (first.status, first.done, await ended(store, ids)) == ("running", PAGE, PAGE)
    async with ledger_on(database) as (ledger, store):
        assert [bulk.id for bulk in await store.reads.running_bulk_actions()] == [BULK.id]
        last = await advanced(ledger)
        assert (last.status, last.done, last.failed) == ("done", COUNT, 0)
        assert await ended(store, ids) == COUNT
        assert await advanced(ledger) == last  # a step too many does nothing
        assert await store.reads.running_bulk_actions() == []


async def test_an_event_says_who_asked_and_why(database: NewDatabase) -> None:
    async with ledger_on(database) as (ledger, store):
        ids = await begun(ledger)
        await advanced(ledger)
        event = await store.reads.last_event(ids[0], "task.cancel_requested", until=2**62)
        assert event is not None
        assert event.data == b'{"by":"key:key_1","reason":"an outage","bulkId":"bulk_1"}'


async def test_a_refused_task_counts_as_failed_with_its_code(database: NewDatabase) -> None:
    async with ledger_on(database) as (ledger, store):
        ids = await begun(ledger)
        await ledger.submit(c.CancelTask(task_id=ids[3], project="default"))
        await advanced(ledger)
        await advanced(ledger)
        found = await store.reads.bulk_action(BULK.id)
        assert found is not None
        assert (found.done, found.failed) == (COUNT - 1, 1)
        assert [(each.task_id, each.code) for each in found.failed_tasks] == [
            (ids[3], "already_finished")
        ]


async def test_an_aborted_action_stays_where_it_stands(database: NewDatabase) -> None:
    async with ledger_on(database) as (ledger, store):
        ids = await begun(ledger)
        await advanced(ledger)
        abort = AbortBulk(bulk_id=BULK.id, project="default")
        for _ in range(2):
            await ledger.submit(abort)
        stopped = await advanced(ledger)
        assert (stopped.status, stopped.done) == ("aborted", PAGE)
        assert await ended(store, ids) == PAGE


@pytest.mark.parametrize(("project", "code"), [("other", "not_found"), (None, "already_finished")])
async def test_what_is_over_or_of_others_cannot_be_aborted(
    database: NewDatabase, project: str | None, code: str
) -> None:
    async with ledger_on(database) as (ledger, _):
        await begun(ledger, 1)
        if project is None:
            await advanced(ledger)
        with pytest.raises(ApiError) as refused:
            await ledger.submit(AbortBulk(bulk_id=BULK.id, project=project))
        assert refused.value.code == code


async def test_they_are_listed_newest_first_by_project(database: NewDatabase) -> None:
    async with ledger_on(database) as (ledger, store):
        for number, project in enumerate(("default", "other", None)):
            name = typeid("bulk", number, 0)
            await ledger.submit(StartBulk(bulk=_of(name, project), task_ids=()))
        listed = await store.reads.bulk_actions_before(None, "bulk_~", 10)
        assert [bulk.project for bulk in listed] == [None, "other", "default"]
        (own,) = await store.reads.bulk_actions_before("default", "bulk_~", 10)
        assert own.id == typeid("bulk", 0, 0)
        assert own.status == "done"
        assert await store.reads.bulk_actions_before("default", own.id, 10) == []


async def test_one_that_ended_long_ago_is_pruned_with_its_tasks(database: NewDatabase) -> None:
    async with ledger_on(database) as (ledger, store):
        await begun(ledger)
        running = await store.reads.bulk_action(BULK.id)
        assert running is not None
        long_after = running.created_at + KEPT_LONG + 60_000
        await ledger.submit(c.Prune(at=long_after))
        assert await store.reads.bulk_action(BULK.id) is not None
        await advanced(ledger)
        await advanced(ledger)
        await ledger.submit(c.Prune(at=long_after))
        assert await store.reads.bulk_action(BULK.id) is None


def _of(name: str, project: str | None) -> BulkAction:
    return BulkAction(
        id=name,
        action="retry",
        project=project,
        filter="{}",
        reason="r",
        created_at=0,
        updated_at=0,
    )
