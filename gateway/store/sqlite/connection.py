"""SQLite's errors in our words: what cannot be committed just now, and what never can."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.domain.kernel.errors import Unavailable

_PASSING: Final = {
    sqlite3.SQLITE_FULL: "The disk is full.",
    sqlite3.SQLITE_IOERR: "The disk failed.",
    sqlite3.SQLITE_BUSY: "The database is busy.",
    sqlite3.SQLITE_LOCKED: "The database is locked.",
    sqlite3.SQLITE_READONLY: "The database is read-only.",
    sqlite3.SQLITE_CANTOPEN: "The database cannot be opened.",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises `Unavailable` for what may pass; a broken constraint stays what it is: a bug."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        primary = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if primary in _PASSING:
            raise Unavailable(_PASSING[primary]) from exc
        raise
