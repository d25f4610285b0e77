"""A SQLite file as an operator's command uses it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from gateway.store.sql.admin.database import Damaged
from gateway.store.sql.connection import NO_PARAMS, bound
from gateway.store.sql.rows import Params, Row

IS_THERE: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = :name"


class SQLiteDatabase:
    """`Database` on a connection that commits by itself."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Sequence[Row]:
        """All rows."""
        return self._connection.execute(statement, bound(params)).fetchall()

    def stream(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterator[Row]:
        """All rows, one after the other."""
        with damage_noticed():
            yield from self._connection.execute(statement, bound(params))

    def write(self, statement: str, rows: Sequence[Params]) -> int:
        """Executes the statement for each row; the number of rows that it changed."""
        return self._connection.executemany(statement, rows).rowcount

    def has(self, table: str) -> bool:
        """True if there is such a table."""
        return bool(self.fetch(IS_THERE, {"name": table}))

    def transaction(self) -> AbstractContextManager[None]:
        """As `written`."""
        return written(self._connection)


@contextmanager
def damage_noticed() -> Iterator[None]:
    """Raises `Damaged` if SQLite finds the file itself damaged in the middle of a read."""
    try:
        yield
    except sqlite3.DatabaseError as exc:
        if (exc.sqlite_errorcode or 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        raise Damaged(f"{exc}") from exc


@contextmanager
def written(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it, or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.rollback()
        raise
    database.commit()
