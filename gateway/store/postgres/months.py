"""Partitions of the events, one for the tasks of each month.

The id of a task begins with the time at which it was made, so the tasks of a month are a range of
ids, and a task has all its events in one partition. When the last task of a month is gone, its
partition is dropped: that costs nothing, where to delete its rows would cost as much as they did.
"""

from datetime import UTC, datetime
from typing import Any, Final

import structlog
from psycopg import AsyncConnection, sql
from psycopg.errors import CheckViolation

from gateway.domain.kernel.ids import typeid
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.sql.rows import Row

log = structlog.get_logger(__name__)

# A partition comes and goes under a lock on all events: not one that others wait behind for long.
PATIENCE: Final = "SELECT set_config('lock_timeout', '2s', true)"
HAS_MONTH: Final = "SELECT 1 FROM event_months WHERE first = :first"
ADD_MONTH: Final = """
INSERT INTO event_months (first, next, name) VALUES (:first, :next, :name)"""
EMPTY_MONTHS: Final = """
SELECT month.first, month.name FROM event_months AS month
WHERE month.next <= :now AND NOT EXISTS (
    SELECT 1 FROM tasks WHERE tasks.id >= month.first AND tasks.id < month.next)"""
REMOVE_MONTH: Final = "DELETE FROM event_months WHERE first = :first"

_CREATE: Final = sql.SQL("CREATE TABLE {} PARTITION OF events FOR VALUES FROM ({}) TO ({})")
_DROP: Final = sql.SQL("DROP TABLE {}")


async def keep_months(connection: "AsyncConnection[Any]", now: int, *, is_wanted: bool) -> None:
    """Makes the partition of the next month, if partitions are wanted, and drops those of months
    without a task. `now` in milliseconds."""
    if is_wanted:
        await _add_next_month(connection, now)
    empty = {"now": _first_id(*_month_of(now))}
    for first, name in await PostgresConnection(connection).fetch(EMPTY_MONTHS, empty):
        async with connection.transaction():
            ours = PostgresConnection(connection)
            await ours.fetch(PATIENCE)
            await connection.execute(_DROP.format(sql.Identifier(name)))
            await ours.write(REMOVE_MONTH, [{"first": first}])
        log.info("events.month_dropped", table=name)


async def _add_next_month(connection: "AsyncConnection[Row]", now: int) -> None:
    """Next month's, which has no rows yet: those of a month that has begun would have to move, so
    it does without a partition."""
    year, month = _after(*_month_of(now))
    first, following = _first_id(year, month), _first_id(*_after(year, month))
    ours = PostgresConnection(connection)
    if [*await ours.fetch(HAS_MONTH, {"first": first})]:
        return
    name = f"events_{year}_{month:02}"
    bounds = sql.Literal(first), sql.Literal(following)
    try:
        async with connection.transaction():
            await ours.fetch(PATIENCE)
            await connection.execute(_CREATE.format(sql.Identifier(name), *bounds))
            await ours.write(ADD_MONTH, [{"first": first, "next": following, "name": name}])
    except CheckViolation:
        log.warning("events.month_has_begun", table=name)
    else:
        log.info("events.month_added", table=name)


def _month_of(at: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.year, moment.month


def _after(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _first_id(year: int, month: int) -> str:
    """The least id that a task of the month can have."""
    return typeid("task", int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000, 0)
