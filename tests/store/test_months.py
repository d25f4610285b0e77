"""Partitions of events by month, and a retention that drops them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest

from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import Pruning
from gateway.store.postgres.batch import BATCHES
from gateway.store.postgres.months import EMPTY_MONTH, keep_months
from gateway.store.postgres.store import PostgresStore, open_postgres
from tests.launcher.conditions import until
from tests.postgres.cluster import MISSING, programs
from tests.postgres.databases import new_database
from tests.store.test_sqlite import POLICY

pytestmark = pytest.mark.skipif(programs() is None, reason=MISSING)


def at(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


NOVEMBER: Final = at(2026, 11, 20)
IDS: Final = {
    "old": typeid("task", at(2026, 11, 29), 7),
    "first": typeid("task", at(2026, 12, 1), 0),
    "last": typeid("task", at(2027, 1, 1) - 1, 7),
    "next": typeid("task", at(2027, 1, 1), 0),
}
TASK: Final = """
INSERT INTO tasks (id, project, status, attempt, max_attempts, seq, created_at, updated_at,
    timeouts, on_stall, priority, snapshot, keep_sandbox, usage, flags, clocks, warnings,
    finished_at)
VALUES (%(id)s, 'default', 'completed', 1, 1, 1, 0, 0, '{}', 'flag', 5, 's', 0, '{}', '[]', '{}',
    '[]', 1)"""
EVENT: Final = """
INSERT INTO events (seq, task_id, task_seq, attempt, type, at, applied, source, data)
VALUES (%(seq)s, %(id)s, 1, 1, 'task.created', 0, 1, 'api', '{}')"""
PLACES: Final = "SELECT task_id, CAST(tableoid AS regclass)::text FROM events"


@pytest.fixture
def url() -> Iterator[str]:
    with new_database() as made:
        yield made


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    async with open_postgres(url, new_instance_id=lambda: "ins_1", gateway_id="gw_1") as opened:
        yield opened


@pytest.fixture
def database(url: str, store: PostgresStore) -> Iterator[psycopg.Connection[Any]]:
    assert store.instance_id == "ins_1"
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def fill(database: psycopg.Connection[Any]) -> None:
    for seq, name in enumerate(IDS.values(), 1):
        database.execute(TASK, {"id": name})
        database.execute(EVENT, {"id": name, "seq": seq})


def places(database: psycopg.Connection[Any]) -> dict[str, str]:
    names = {task_id: name for name, task_id in IDS.items()}
    return {names[task_id]: table for task_id, table in database.execute(PLACES)}


async def prune(store: PostgresStore, now: int) -> None:
    """As the pruner: the tasks that are old go."""
    found = await store.reads.old_tasks("", typeid("task", now, 0), 100)
    async with store.transaction() as batch:
        unit = await batch.load([ReadSet(alerts=True)], POLICY, now)  # alone
        unit.retention.append(
            Pruning(
                at=now,
                before=0,
                long_before=0,
                ended_before=0,
                erased=[],
                deleted=[name for name, *_ in found],
            )
        )
        await batch.write(unit)


async def test_the_next_month_gets_a_partition_once_and_this_one_stays_as_it_is(
    store: PostgresStore, database: psycopg.Connection[Any]
) -> None:
    for _ in range(2):
        await store.keep_months(NOVEMBER, is_wanted=True)
    fill(database)
    months = {"old": "events_rest", "next": "events_rest"}
    assert places(database) == months | {"first": "events_2026_12", "last": "events_2026_12"}
    await store.keep_months(at(2026, 12, 31), is_wanted=False)
    assert len(places(database)) == 4  # its tasks are there


async def test_a_month_goes_as_a_whole_once_all_of_it_is_old(
    store: PostgresStore, database: psycopg.Connection[Any]
) -> None:
    await store.keep_months(NOVEMBER, is_wanted=True)
    fill(database)
    await prune(store, at(2026, 12, 20))
    assert set(places(database)) == {"first", "last", "next"}
    await prune(store, at(2027, 1, 1))
    await store.keep_months(at(2026, 12, 31), is_wanted=True)  # a clock that was put back
    assert set(places(database)) == {"first", "last", "next"}
    await store.keep_months(at(2027, 1, 2), is_wanted=True)
    assert places(database) == {"next": "events_rest"}  # its month had begun
    assert [*database.execute("SELECT name FROM event_months")] == [("events_2027_02",)]


async def test_without_months_tasks_go_one_by_one(
    store: PostgresStore, database: psycopg.Connection[Any]
) -> None:
    await store.keep_months(NOVEMBER, is_wanted=False)
    fill(database)
    await prune(store, at(2026, 12, 20))
    assert set(places(database)) == {"last", "next"}


WAITS: Final = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def test_a_month_stays_for_a_task_that_is_taken_in_while_it_would_go(
    url: str, store: PostgresStore, database: psycopg.Connection[Any]
) -> None:
    await store.keep_months(NOVEMBER, is_wanted=True)
    async with await psycopg.AsyncConnection.connect(url) as late:
        await late.execute("SELECT pg_advisory_xact_lock_shared(%s)", [BATCHES])
        await late.execute(TASK, {"id": IDS["last"]})
        await late.execute(EVENT, {"id": IDS["last"], "seq": 1})
        keeping = asyncio.create_task(store.keep_months(at(2027, 1, 1), is_wanted=False))
        await until(lambda: database.execute(WAITS).fetchone() != (0,), "the month to wait")
        await late.commit()
        await keeping
    assert places(database) == {"last": "events_2026_12"}


async def test_a_new_month_reads_no_old_event_while_all_others_wait(
    url: str, database: psycopg.Connection[Any]
) -> None:
    database.execute(EVENT, {"id": IDS["old"], "seq": 1})
    notices: list[str | None] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET client_min_messages = debug1")
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        await keep_months(connection, NOVEMBER, is_wanted=True)
    assert (
        'updated partition constraint for default partition "events_rest" is implied by '
        "existing constraints"
    ) in notices
    database.execute(EVENT, {"id": IDS["next"], "seq": 2})
    assert places(database) == {"old": "events_rest", "next": "events_rest"}


async def test_what_a_killed_gateway_has_left_of_a_new_month_refuses_nothing_for_long(
    store: PostgresStore, database: psycopg.Connection[Any]
) -> None:
    database.execute(
        f"ALTER TABLE events_rest ADD CONSTRAINT {EMPTY_MONTH} CHECK (false) NOT VALID"
    )
    await store.keep_months(NOVEMBER, is_wanted=False)
    fill(database)
    assert set(places(database)) == {*IDS}
