"""Partitions of the events, one for the tasks of each month.

The id of a task begins with the time at which it was made, so the tasks of a month are a range of
ids, and a task has all its events in one partition. When the last task of a month is gone, its
partition is dropped: that costs nothing, where to delete its rows would cost as much as they did.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from psycopg import AsyncConnection, sql
from psycopg.errors import CheckViolation

from gateway.domain.kernel.ids import typeid
from gateway.store.postgres.batch import BOUNDS, LOCK_ALONE
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.sql.rows import Row

log = structlog.get_logger(__name__)

# A partition comes and goes under a lock on all events: not one that others wait behind for long.
SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', '2s', true)"
HAS_MONTH: Final = "SELECT 1 FROM event_months WHERE first = :first"
ADD_MONTH: Final = """
INSERT INTO event_months (first, next, name) VALUES (:first, :next, :name)"""
EMPTY_MONTHS: Final = """
SELECT month.first, month.name FROM event_months AS month
WHERE month.next <= :now AND NOT EXISTS (
    SELECT 1 FROM tasks WHERE tasks.id >= month.first AND tasks.id < month.next)"""
REMOVE_MONTH: Final = """
DELETE FROM event_months
WHERE first = :first AND NOT EXISTS (
    SELECT 1 FROM tasks WHERE tasks.id >= event_months.first AND tasks.id < event_months.next)
RETURNING name"""
EMPTY_MONTH: Final = "next_month_is_empty"
"""The constraint of events without a partition, while that of the next month is made."""
IS_LEFT: Final = "SELECT 1 FROM pg_constraint WHERE conname = :name"

_EXCLUDE: Final = sql.SQL("""
ALTER TABLE events_rest ADD CONSTRAINT {} CHECK (task_id < {} OR task_id >= {}) NOT VALID""")
_LOOK: Final = sql.SQL("ALTER TABLE events_rest VALIDATE CONSTRAINT {}")
_INCLUDE: Final = sql.SQL("ALTER TABLE events_rest DROP CONSTRAINT {}")
_CREATE: Final = sql.SQL("CREATE TABLE {} PARTITION OF events FOR VALUES FROM ({}) TO ({})")
_DROP: Final = sql.SQL("DROP TABLE {}")
_NAME: Final = sql.Identifier(EMPTY_MONTH)


async def keep_months(connection: "AsyncConnection[Any]", now: int, *, is_wanted: bool) -> None:
    """Makes the partition of the next month, if partitions are wanted, and drops those of months
    without a task. `now` in milliseconds."""
    await _include_next_month(connection)  # a gateway that was killed may have left it out
    if is_wanted:
        try:
            await _add_next_month(connection, now)
        finally:
            await _include_next_month(connection)
    empty = {"now": _first_id(*_month_of(now))}
    for first, name in await PostgresConnection(connection).fetch(EMPTY_MONTHS, empty):
        if await _drop_month(connection, first):
            log.info("events.month_dropped", table=name)


async def _drop_month(connection: "AsyncConnection[Row]", first: str) -> bool:
    """False if a task of the month was taken in after all: no batch is under way meanwhile."""
    async with connection.transaction():
        ours = PostgresConnection(connection)
        await ours.fetch(LOCK_ALONE, BOUNDS)
        await ours.fetch(SET_LOCK_TIMEOUT)
        removed = [*await ours.fetch(REMOVE_MONTH, {"first": first})]
        for (name,) in removed:
            await connection.execute(_DROP.format(sql.Identifier(name)))
    return bool(removed)


async def _add_next_month(connection: "AsyncConnection[Row]", now: int) -> None:
    """Next month's, which has no rows yet: those of a month that has begun would have to move, so
    it does without a partition. All events without a partition are looked through before, beside
    whoever reads and writes them: else that would be done while everybody waits."""
    year, month = _after(*_month_of(now))
    first, following = _first_id(year, month), _first_id(*_after(year, month))
    ours = PostgresConnection(connection)
    if [*await ours.fetch(HAS_MONTH, {"first": first})]:
        return
    name = f"events_{year}_{month:02}"
    bounds = sql.Literal(first), sql.Literal(following)
    try:
        async with _with_lock_timeout(connection):
            await connection.execute(_EXCLUDE.format(_NAME, *bounds))
        await connection.execute(_LOOK.format(_NAME))
        async with _with_lock_timeout(connection):
            await connection.execute(_CREATE.format(sql.Identifier(name), *bounds))
            await ours.write(ADD_MONTH, [{"first": first, "next": following, "name": name}])
    except CheckViolation:
        log.warning("events.month_has_begun", table=name)
    else:
        log.info("events.month_added", table=name)


async def _include_next_month(connection: "AsyncConnection[Row]") -> None:
    """Lets events of the next month in where there is no partition for them."""
    if [*await PostgresConnection(connection).fetch(IS_LEFT, {"name": EMPTY_MONTH})]:
        async with _with_lock_timeout(connection):
            await connection.execute(_INCLUDE.format(_NAME))


@asynccontextmanager
async def _with_lock_timeout(connection: "AsyncConnection[Row]") -> AsyncIterator[None]:
    """A transaction that waits for locks, but not for long."""
    async with connection.transaction():
        await PostgresConnection(connection).fetch(SET_LOCK_TIMEOUT)
        yield


def _month_of(at: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.year, moment.month


def _after(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _first_id(year: int, month: int) -> str:
    """The least id that a task of the month can have."""
    return typeid("task", int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000, 0)
