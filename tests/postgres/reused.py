"""PostgreSQL databases that one test has after the other: to make one takes 20 ms of processor
time, to empty one takes 2 ms."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import psycopg
from psycopg import sql

from gateway.store.location import PostgresAddress
from tests.postgres import warm
from tests.postgres.databases import lasting_database

END_OTHERS: Final = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)"""
TABLES: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = CAST('public' AS regnamespace) AND relkind = ANY(%s) ORDER BY relname"""
SEQUENCES: Final = """
SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"""
SET_SEQUENCE: Final = "SELECT setval(CAST(%s AS regclass), coalesce(%s, 1), %s)"
IS_EMPTY: Final = """
SELECT NOT EXISTS (SELECT 1 FROM api_keys) AND NOT EXISTS (SELECT 1 FROM ledger)"""

Fill = Callable[[PostgresAddress], object]


class _Contents(NamedTuple):
    rows: Mapping[str, bytes]
    """By the table; one that is empty is left out."""
    sequences: Mapping[str, int | None]


class ReusedDatabase:
    """A database of today's schema, empty at first."""

    def __init__(self, url: str) -> None:
        self.address: Final = PostgresAddress.parse(url)
        self._connection = psycopg.connect(url, autocommit=True)
        # No order of the tables matters, whichever refers to another.
        self._connection.execute("SET session_replication_role = replica")
        self._tables = self._named("r")
        # A month of events that a test has made is emptied with its table.
        emptied = [
            sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in self._named("r", "p")
        ]
        self._deletions = sql.SQL(";").join(emptied).as_bytes(self._connection)
        self._empty = self._contents()
        self._filled: dict[Fill, _Contents] = {}

    def _named(self, *kinds: str) -> list[str]:
        found = self._connection.execute(TABLES, [[*kinds]])
        return [name for (name,) in found]

    def fill(self, make: Fill) -> None:
        """Does this to the database; to an empty one once, and later tests get the same rows."""
        ((is_empty,),) = self._connection.execute(IS_EMPTY).fetchall()
        if is_empty and make in self._filled:
            self._fill_tables(self._filled[make])
        else:
            make(self.address)
            if is_empty:
                self._filled[make] = self._contents()

    def clear(self) -> None:
        """Makes it what it was; whoever was connected is not any more, but for connections that
        are kept warm."""
        self._connection.execute(END_OTHERS, [warm.rest(self.address.url)])
        with self._connection.transaction():
            self._connection.execute(self._deletions)
            self._fill_tables(self._empty)

    def _contents(self) -> _Contents:
        rows = {name: b"".join(self._copied(name)) for name in self._tables}
        return _Contents(
            rows={name: text for name, text in rows.items() if text},
            sequences=dict(self._connection.execute(SEQUENCES).fetchall()),
        )

    def _copied(self, table: str) -> Iterator[bytes]:
        statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
        with self._connection.cursor().copy(statement) as copy:
            yield from map(bytes, copy)

    def _fill_tables(self, contents: _Contents) -> None:
        """Replaces what these tables have; the others stay as they are."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for name, rows in contents.rows.items():
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
                statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))
                with cursor.copy(statement) as copy:
                    copy.write(rows)
            for name, last in contents.sequences.items():
                cursor.execute(SET_SEQUENCE, (name, last, last is not None))


_FREE: Final[list[ReusedDatabase]] = []


@contextmanager
def reused_database() -> Iterator[ReusedDatabase]:
    """One that is empty, for as long as the block lasts."""
    database = _FREE.pop() if _FREE else ReusedDatabase(lasting_database())
    try:
        yield database
    finally:
        database.clear()
        _FREE.append(database)
