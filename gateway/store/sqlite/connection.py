"""Connections: parameters by name, and SQLite's errors in the words of the domain."""

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from traceback import clear_frames
from typing import Any, Final

import aiosqlite

from gateway.domain.kernel.errors import ReadOnly, Unavailable
from gateway.store.sqlite.rows import Row

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


@contextmanager
def translated(*, is_write: bool = False) -> Iterator[None]:
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


def bound(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by name; lists and tuples become JSON, for `json_each`."""
    return {
        name: json.dumps(value) if isinstance(value, list | tuple) else value
        for name, value in params.items()
    }


Query = Callable[[str, Mapping[str, Any]], Awaitable[Iterable[Row]]]
NO_PARAMS: Final[Mapping[str, Any]] = {}


class Queries:
    """The reading connection: in WAL mode it never waits for the writer."""

    def __init__(
        self, connection: aiosqlite.Connection, check: Callable[[], None] = lambda: None
    ) -> None:
        """`check` raises when the files are no longer those that were opened."""
        self._connection = connection
        self._check = check

    async def _all(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        self._check()
        with translated():
            try:
                return await self._connection.execute_fetchall(statement, bound(params))
            except sqlite3.Error as exc:
                # The traceback holds the cursor: as long as it is open, every later read would
                # see the database as it was then.
                clear_frames(exc.__traceback__)
                raise

    async def _one(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Row | None:
        return next(iter(await self._all(statement, params)), None)
