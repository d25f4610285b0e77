"""The outbox: each lane offers its head, in the order of its task's events."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from gateway.domain.deliveries.delivery import PARK_AFTER
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import NewDelivery, UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import (
    Clocks,
    Status,
    Task,
    Timeouts,
)
from gateway.store.records import Head
from gateway.store.sql.lanes import DUE_DELIVERIES, PER_ENDPOINT
from gateway.store.sqlite.store import SQLiteStore, open_sqlite

ENDPOINTS = ("ep_1", "ep_2")
SPEC = Spec(
    project="default",
    repo_url="https://github.com/acme/widgets",
    prompt="p",
    title="t",
    branch_name="b",
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with open_sqlite(tmp_path / "slipgate.db", new_instance_id=lambda: "i") as opened:
        view = UnitOfWork(policy=Policy(key_id="k1"))
        for name in ENDPOINTS:
            view.outbox.put_endpoint(Endpoint(id=name, project="default", origin="https://a"))
        for task_id in ("task_1", "task_2"):
            _enqueue(view, task_id)
        async with opened.transaction() as batch:
            await batch.write(view)
        yield opened


def _enqueue(
    view: UnitOfWork, task_id: str, endpoints: Sequence[str] = ENDPOINTS, *, events: int = 3
) -> None:
    task = Task(
        id=task_id,
        project="default",
        status=Status.QUEUED,
        attempt=1,
        max_attempts=1,
        seq=events,
        created_at=1,
        updated_at=1,
        timeouts=Timeouts(),
        clocks=Clocks(queue=1),
    )
    view.tasks.create(task)
    for number in range(1, events + 1):
        event = Event(
            task_id=task_id,
            task_seq=number,
            attempt=1,
            type="task.heartbeat",
            at=number,
            source="agent",
            data=msgspec.json.encode(SPEC) if number == 1 else b"{}",
        )
        view.events.put(event)
        view.deliveries.new += [
            NewDelivery(endpoint_id=name, event=event, status="pending", next_attempt_at=number)
            for name in endpoints
        ]


def outcome(seq: int, *, status: str, attempts: int, again: int | None) -> c.SettleDelivery:
    return c.SettleDelivery(
        endpoint_id="ep_1",
        seq=seq,
        status=status,
        attempts=attempts,
        failures=attempts if status == "pending" else attempts - 1,
        next_attempt_at=again,
        body="{}",
        at=10,
        http_status=200 if status == "delivered" else 500,
        reason=None,
        duration_ms=7,
        key_id=None,
        answer="",
    )


async def settle(store: SQLiteStore, settled: c.SettleDelivery) -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    view.deliveries.settled.append(settled)
    async with store.transaction() as batch:
        await batch.write(view)


async def due(store: SQLiteStore, now: int = 100) -> set[tuple[str, int]]:
    return {(each.endpoint_id, each.seq) for each in await heads(store, now)}


async def heads(store: SQLiteStore, now: int, endpoints: Sequence[str] = ENDPOINTS) -> list[Head]:
    found = await store.reads.due_deliveries(now, endpoints)
    return [head for each in found.values() for head in each.heads]


async def test_a_lane_is_an_endpoint_and_a_task(store: SQLiteStore) -> None:
    assert await due(store) == {("ep_1", 1), ("ep_2", 1), ("ep_1", 4), ("ep_2", 4)}


async def test_the_lane_goes_on_behind_what_was_delivered(store: SQLiteStore) -> None:
    await settle(store, outcome(1, status="delivered", attempts=1, again=None))
    assert await due(store) == {("ep_1", 2), ("ep_2", 1), ("ep_1", 4), ("ep_2", 4)}


async def test_a_head_that_waits_holds_its_own_lane_only(store: SQLiteStore) -> None:
    await settle(store, outcome(1, status="pending", attempts=1, again=500))
    assert await due(store) == {("ep_2", 1), ("ep_1", 4), ("ep_2", 4)}
    nexts = {
        name: each.next_at
        for name, each in (await store.reads.due_deliveries(100, ENDPOINTS)).items()
    }
    assert nexts == {"ep_1": 500, "ep_2": None}
    (late,) = [
        each for each in await heads(store, 500) if (each.endpoint_id, each.seq) == ("ep_1", 1)
    ]
    (sent,) = (await store.reads.delivery_contexts([("ep_1", 1)], 500)).values()
    assert (late.attempts, sent.body) == (1, b"{}")


async def test_a_parked_head_lets_its_lane_go_on_and_keeps_its_schedule(
    store: SQLiteStore,
) -> None:
    for attempts in (1, 2, 3):
        await settle(store, outcome(1, status="pending", attempts=attempts, again=500))
    assert await due(store) == {("ep_1", 2), ("ep_2", 1), ("ep_1", 4), ("ep_2", 4)}
    assert {("ep_1", 1), ("ep_1", 2)} < await due(store, now=500)


async def test_what_was_settled_stays_settled(store: SQLiteStore) -> None:
    await settle(store, outcome(1, status="delivered", attempts=1, again=None))
    await settle(store, outcome(1, status="pending", attempts=2, again=5))
    assert ("ep_1", 1) not in await due(store)
    gauges = await store.reads.gauges(now=100, since=0)
    assert gauges.deliveries == {"pending": 11, "held": 0, "dead": 0}
    assert gauges.oldest_due_at == 1


async def test_an_attempt_that_two_gateways_have_made_is_settled_twice_and_recorded_once(
    store: SQLiteStore,
) -> None:
    await settle(store, outcome(1, status="pending", attempts=1, again=5))
    await settle(store, outcome(1, status="delivered", attempts=2, again=None))
    await settle(store, outcome(1, status="pending", attempts=1, again=5))
    shown = await store.reads.delivery("ep_1", 1)
    assert shown is not None
    assert (shown.status, [each.status for each in shown.attempts]) == ("delivered", [500, 200])


async def test_what_is_owed_is_told_with_the_reason_of_the_last_attempt(
    store: SQLiteStore,
) -> None:
    await settle(store, outcome(1, status="delivered", attempts=1, again=None))
    for attempts, reason in ((1, "connect"), (2, "status")):
        failure = outcome(2, status="pending", attempts=attempts, again=500)
        await settle(store, replace(failure, reason=reason))
    found = await store.reads.undelivered("task_1", 200)
    told = {
        (each.endpoint_id, each.task_seq): (each.status, each.attempts, each.reason)
        for each in found
    }
    assert told == {
        ("ep_1", 2): ("pending", 2, "HTTP 500"),
        ("ep_1", 3): ("pending", 0, None),
        **{("ep_2", number): ("pending", 0, None) for number in (1, 2, 3)},
    }


async def test_what_is_owed_is_looked_for_among_the_newest(store: SQLiteStore) -> None:
    found = await store.reads.undelivered("task_1", 2)
    assert [(each.endpoint_id, each.task_seq) for each in found] == [("ep_2", 2), ("ep_2", 3)]


async def test_a_delivery_is_shown_with_every_attempt(store: SQLiteStore) -> None:
    await settle(store, outcome(1, status="pending", attempts=1, again=500))
    await settle(store, outcome(1, status="delivered", attempts=2, again=None))
    shown = await store.reads.deliveries("task_1", 200)
    assert [(each.seq, each.endpoint_id, each.type) for each in shown] == [
        (seq, name, "task.heartbeat") for seq in (1, 2, 3) for name in ENDPOINTS
    ]
    assert [len(each.attempts) for each in shown] == [2, 0, 0, 0, 0, 0]
    assert [attempt.status for attempt in shown[0].attempts] == [500, 200]
    assert (shown[0].status, shown[1].status) == ("delivered", "pending")
    assert [each.seq for each in await store.reads.deliveries("task_1", 3)] == [2, 3, 3]
    assert await store.reads.deliveries("task_9", 200) == []


@pytest.mark.parametrize(
    ("seq", "kind", "is_superseded"),
    [(1, "task.heartbeat", True), (1, "task.progress", False), (3, "task.heartbeat", False)],
    ids=["a newer one waits", "only of another type", "it is the newest"],
)
async def test_what_waits_behind_a_delivery_is_looked_for_in_its_own_lane(
    store: SQLiteStore, tmp_path: Path, seq: int, kind: str, is_superseded: bool
) -> None:
    with closing(sqlite3.connect(tmp_path / "slipgate.db")) as database:
        database.execute("UPDATE events SET type = ? WHERE seq = ?", (kind, seq))
        database.commit()
    (found,) = (await store.reads.delivery_contexts([("ep_1", seq)], 100)).values()
    assert found.has_newer == is_superseded


async def test_what_leaves_together_is_read_together(store: SQLiteStore) -> None:
    keys = [("ep_1", 1), ("ep_2", 1), ("ep_1", 4), ("ep_1", 99)]
    found = await store.reads.delivery_contexts(keys, 100)
    assert found.keys() == set(keys[:3])
    assert {key: each.event.seq for key, each in found.items()} == {key: key[1] for key in found}
    asked = {key: each.asked for key, each in found.items() if each.asked is not None}
    assert {key: (task.id, spec) for key, (task, spec) in asked.items()} == {
        ("ep_1", 1): ("task_1", SPEC),
        ("ep_2", 1): ("task_1", SPEC),
        ("ep_1", 4): ("task_2", SPEC),
    }
    assert {each.secrets for each in found.values()} == {()}


async def test_an_event_is_overtaken_once_a_later_one_was_sent(store: SQLiteStore) -> None:
    assert not await store.reads.is_overtaken("ep_1", "task_1", 1)
    await settle(store, outcome(2, status="pending", attempts=1, again=500))
    assert await store.reads.is_overtaken("ep_1", "task_1", 1)
    assert not await store.reads.is_overtaken("ep_1", "task_1", 2)
    assert not await store.reads.is_overtaken("ep_2", "task_1", 1)


async def test_what_is_owed_is_found_endpoint_by_endpoint(store: SQLiteStore) -> None:
    first = await store.reads.pending_endpoints("", 1)
    second = await store.reads.pending_endpoints(first[-1].endpoint_id, 9)
    assert [(each.endpoint_id, each.project, each.at) for each in (*first, *second)] == [
        ("ep_1", "default", 1),
        ("ep_2", "default", 1),
    ]
    assert await store.reads.pending_endpoints("ep_2", 9) == []


async def test_a_read_of_an_endpoint_tells_if_it_has_found_all_that_is_pending(
    store: SQLiteStore,
) -> None:
    async def is_all() -> bool:
        return (await store.reads.due_deliveries(100, ["ep_1"]))["ep_1"].is_all

    assert not await is_all()  # two lanes of three each
    for seq in (1, 2, 4, 5):
        await settle(store, outcome(seq, status="delivered", attempts=1, again=None))
    assert await is_all()
    for seq in (3, 6):
        await settle(store, outcome(seq, status="delivered", attempts=1, again=None))
    assert await is_all()


async def test_a_disabled_endpoint_is_offered_nothing(store: SQLiteStore) -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    view.outbox.put_endpoint(
        Endpoint(id="ep_1", project="default", origin="https://a", enabled=False)
    )
    async with store.transaction() as batch:
        await batch.write(view)
    assert {endpoint for endpoint, _ in await due(store)} == {"ep_2"}
    found = await store.reads.pending_endpoints("", 9)
    assert {each.endpoint_id: each.at for each in found} == {"ep_1": None, "ep_2": 1}


async def test_many_that_wait_for_one_endpoint_do_not_hide_those_of_another(
    store: SQLiteStore,
) -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    for number in range(300):
        view.outbox.put_endpoint(Endpoint(id="ep_0", project="default", origin="https://b"))
        _enqueue(view, f"task_{100 + number}", ("ep_0",), events=1)
    async with store.transaction() as batch:
        await batch.write(view)
    found = await heads(store, 100, ["ep_0", *ENDPOINTS])
    assert len(found) == PER_ENDPOINT + 4


async def test_a_look_costs_no_more_when_thousands_wait_behind_a_head(
    store: SQLiteStore, tmp_path: Path
) -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    _enqueue(view, "task_9", ("ep_2",), events=2_000)
    async with store.transaction() as batch:
        await batch.write(view)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with closing(sqlite3.connect(tmp_path / "slipgate.db")) as database:
        database.set_progress_handler(count, 100)
        given = {
            "now": 10_000,
            "per_endpoint": PER_ENDPOINT,
            "endpoints": '["ep_1", "ep_2"]',
            "park_after": PARK_AFTER,
        }
        found = database.execute(DUE_DELIVERIES, given).fetchall()
    assert {(row[0], row[4]) for row in found} >= {("ep_2", 7), ("ep_1", 1)}
    assert steps < 200, "one look takes fewer than 20,000 steps, and 2,000 wait"


async def test_hundreds_behind_a_head_that_waits_hold_up_no_other_lane(
    store: SQLiteStore, tmp_path: Path
) -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    _enqueue(view, "task_0", ("ep_2",), events=400)
    async with store.transaction() as batch:
        await batch.write(view)
    with closing(sqlite3.connect(tmp_path / "slipgate.db")) as database:
        # The others have not been due for as long.
        database.execute("UPDATE deliveries SET next_attempt_at = 5000 WHERE task_id <> 'task_0'")
        database.commit()
    first = 7
    waiting = replace(
        outcome(first, status="pending", attempts=1, again=9_000_000), endpoint_id="ep_2"
    )
    with pytest.raises(Conflict):  # somebody else has written, so it is decided again
        await settle(store, waiting)
    await settle(store, waiting)
    found = {seq for endpoint, seq in await due(store, 100_000) if endpoint == "ep_2"}
    assert found == {1, 4}


async def test_failures_of_an_endpoint_are_known_until_something_gets_through(
    store: SQLiteStore,
) -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    failed = replace(outcome(1, status="pending", attempts=1, again=500), reason="status")
    view.deliveries.settled.append(failed)
    failing = Endpoint(id="ep_1", project="default", origin="https://a", failing_since=10)
    view.outbox.put_endpoint(failing)
    async with store.transaction() as batch:
        await batch.write(view)
    (found,) = await store.reads.failures()
    assert (found.endpoint_id, found.failing_since, found.at, found.reason) == (
        ("ep_1", 10, 10, "status")
    )
    view = UnitOfWork(policy=Policy(key_id="k1"))
    view.outbox.put_endpoint(replace(failing, failing_since=None, updated_at=77))
    async with store.transaction() as batch:
        await batch.write(view)
    assert await store.reads.failures() == []
    assert await store.reads.changed_at(["ep_1", "ep_9"]) == {"ep_1": 77}
