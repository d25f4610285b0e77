"""SQLite's connections, and its errors in the words of the domain."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from traceback import clear_frames
from types import NoneType
from typing import Any, Final, Self, TypeVar, cast

import aiosqlite

from gateway.domain.kernel.errors import ReadOnly, Unavailable
from gateway.store.sql.connection import NO_PARAMS, bound
from gateway.store.sql.rows import Row

T = TypeVar("T")

STATEMENTS: Final = 512
"""Statements that are kept compiled: those of a batch are, for each number of rows."""
_UNAVAILABLE: Final = {
    sqlite3.SQLITE_BUSY: "The database is busy.",
    sqlite3.SQLITE_LOCKED: "The database is locked.",
}
_UNWRITABLE: Final = {
    sqlite3.SQLITE_FULL: "The disk is full.",
    sqlite3.SQLITE_IOERR: "The disk failed.",
    sqlite3.SQLITE_READONLY: "The database is read-only.",
    sqlite3.SQLITE_CANTOPEN: "The database cannot be opened.",
}


def _null(_: None) -> None:
    """NULL as it is. Without an adapter sqlite3 asks each None for one, and makes and drops the
    error that it has none: 0.28 µs instead of 0.12, and a new task has 25 of them."""


sqlite3.register_adapter(NoneType, _null)


@contextmanager
def translated_errors(*, is_write: bool = False) -> Iterator[None]:
    """Raises `Unavailable` for what may pass, `ReadOnly` if nothing can be written; a broken
    constraint stays what it is: a bug."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        primary = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if is_write and primary in _UNWRITABLE:
            raise ReadOnly(_UNWRITABLE[primary]) from exc
        if primary in _UNAVAILABLE or primary in _UNWRITABLE:
            raise Unavailable((_UNAVAILABLE | _UNWRITABLE)[primary]) from exc
        raise


class WritingConnection(aiosqlite.Connection):
    """A connection that does more than one thing for each way to its thread and back."""

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does the work on the thread of the connection."""
        # aiosqlite's way to its thread has no types.
        result: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result

    async def __aenter__(self) -> Self:
        return cast("Self", await super().__aenter__())


def writing_connection(path: Path) -> WritingConnection:
    """A connection to this file."""
    return WritingConnection(
        partial(sqlite3.connect, path, isolation_level=None, cached_statements=STATEMENTS), 64
    )


class Reader:
    """The reading connection: in WAL mode it never waits for the writer."""

    def __init__(
        self, connection: aiosqlite.Connection, check: Callable[[], None] = lambda: None
    ) -> None:
        """`check` raises when the files are no longer those that were opened."""
        self._connection = connection
        self._check = check

    async def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows."""
        self._check()
        with translated_errors():
            try:
                return await self._connection.execute_fetchall(statement, bound(params))
            except sqlite3.Error as exc:
                # The traceback holds the cursor: as long as it is open, every later read would
                # see the database as it was then.
                clear_frames(exc.__traceback__)
                raise
