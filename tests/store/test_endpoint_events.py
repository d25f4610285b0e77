"""Events about endpoints in the store: one log, one outbox, and an audit that knows them."""

# ruff: noqa: S608 - what is put into a statement here is a constant

from collections.abc import AsyncIterator

import pytest

from gateway.domain.deliveries import commands as e
from gateway.domain.kernel import commands as c
from gateway.domain.tasks.event import ABOUT_ENDPOINTS
from gateway.store.administration import open_database
from tests.store.test_endpoints import Desk
from tests.stores import NewDatabase, ledger_on

API_KEY = f"slip_ops_{'a' * 43}"


async def disable(desk: Desk) -> None:
    await desk.ledger.submit(e.DisableEndpoint(endpoint_id="ep_a", reason="by hand"))


async def enable(desk: Desk) -> None:
    """And its next delivery arrives."""
    await desk.ledger.submit(e.EnableEndpoint(endpoint_id="ep_a"))
    await desk.works()
    await desk.creates()
    await desk.settles("ep_a", "delivered")


@pytest.fixture
async def desk(database: NewDatabase) -> AsyncIterator[Desk]:
    """An endpoint that was disabled, works again, and was disabled again; and who hears of it."""
    async with ledger_on(database) as (ledger, store):
        made = Desk(database, ledger, store)
        await made.opens("ep_a", event_types=("task.created",))
        await made.opens("ep_w", event_types=("endpoint.*",))
        await disable(made)
        await enable(made)
        await disable(made)
        yield made


async def test_they_stand_in_the_log_under_the_numbers_of_all(desk: Desk) -> None:
    reads = desk.store.reads
    about = await reads.events_of_project("default", [*ABOUT_ENDPOINTS], after=0, limit=10)
    of_tasks = await reads.events_of_project("default", after=0, limit=10)
    assert [event.type for event in about.events] == [
        "endpoint.disabled",
        "endpoint.recovered",
        "endpoint.disabled",
    ]
    assert [event.type for event in of_tasks.events] == ["task.created"]
    numbers = sorted(event.seq for event in (*about.events, *of_tasks.events))
    assert numbers == [1, 2, 3, 4]
    elsewhere = await reads.events_of_project("other", [*ABOUT_ENDPOINTS], after=0, limit=10)
    assert elsewhere.events == ()
    everywhere = await reads.events_of_project(None, [*ABOUT_ENDPOINTS], after=0, limit=10)
    assert everywhere.events == about.events
    assert await desk.states("ep_w") == ["pending"] * 3
    desk.is_sound()


async def test_one_that_follows_a_restart_has_the_next_number(desk: Desk) -> None:
    await enable(desk)
    found = await desk.store.reads.events_of_task("ep_a", after=0, limit=10)
    assert [event.task_seq for event in found] == [1, 2, 3, 4]
    desk.is_sound()


async def test_the_events_of_a_deleted_endpoint_stay(desk: Desk) -> None:
    await desk.ledger.submit(e.DeleteEndpoint(endpoint_id="ep_a"))
    await desk.works()
    assert len(await desk.store.reads.events_of_task("ep_a", after=0, limit=10)) == 3
    desk.is_sound()


DAMAGES = {
    "row_differs": "UPDATE endpoints SET seq = 7 WHERE id = 'ep_a'",
    "row_differs, who was told": "UPDATE endpoints SET told_at = NULL WHERE id = 'ep_a'",
    "row_unreadable": "UPDATE endpoints SET metadata = '[' WHERE id = 'ep_a'",
    "gap_in_task_seq": "UPDATE events SET task_seq = 9 WHERE type = 'endpoint.recovered'",
    "seq_not_increasing": (
        "DELETE FROM deliveries; UPDATE events SET seq = -seq WHERE type = 'endpoint.recovered'"
    ),
    "forbidden_transition": (
        "UPDATE events SET type = 'endpoint.failing' WHERE type = 'endpoint.recovered'"
    ),
    "forbidden_transition, twice": (
        "UPDATE events SET type = 'endpoint.recovered' WHERE task_id = 'ep_a'"
    ),
    "event_unreadable": "UPDATE events SET data = '{}' WHERE type = 'endpoint.recovered'",
    "event_unreadable, a task's": (
        "UPDATE events SET type = 'task.log' WHERE type = 'endpoint.recovered'"
    ),
    "secret_in_event": f"UPDATE events SET data = '{API_KEY}' WHERE type = 'endpoint.recovered'",
    "delivery_missing": "DELETE FROM deliveries WHERE endpoint_id = 'ep_w'",
    "delivery_unasked": "UPDATE deliveries SET endpoint_id = 'ep_a' WHERE task_id = 'ep_a'",
    "no_task": "UPDATE events SET task_id = 'ep_b' WHERE type = 'endpoint.recovered'",
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_the_audit_sees_each_broken_promise(
    desk: Desk, database: NewDatabase, name: str
) -> None:
    with open_database(database.location) as opened:
        for statement in DAMAGES[name].split(";"):
            opened.write(statement, [()])
    found = {problem.partition(" ")[0] for problem in database.problems()}
    assert name.partition(",")[0] in found


async def test_old_ones_go_with_their_deliveries_but_none_behind_one_that_is_owed(
    desk: Desk,
) -> None:
    async def kept() -> list[int]:
        found = await desk.store.reads.events_of_task("ep_a", after=0, limit=10)
        return [event.task_seq for event in found]

    async def prune(*, at: int) -> None:
        await desk.ledger.submit(c.Prune(at=at, ended_before=at))

    now = 2**43
    await prune(at=0)
    assert await kept() == [1, 2, 3]
    first, second, third = (await desk.deliveries_of(endpoint_id="ep_w"))[::-1]
    await desk.settles_one(second, "dead")
    await prune(at=now)
    assert await kept() == [1, 2, 3]
    await desk.settles_one(first, "delivered")
    await prune(at=now)
    assert await kept() == [3]
    assert await desk.states("ep_w") == ["pending"]
    assert await desk.store.reads.pruned("default") == second.seq
    desk.is_sound()
    await desk.settles_one(third, "delivered")
    await prune(at=now)
    assert (await kept(), await desk.states("ep_w")) == ([], [])
    desk.is_sound()
