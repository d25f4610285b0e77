"""A SQLite file as an operator's commands open it, beside a gateway that may run."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from gateway.store.sql.admin.opening import Upgraded
from gateway.store.sql.admin.operator import Operator
from gateway.store.sqlite.admin.database import SQLiteDatabase
from gateway.store.sqlite.admin.upgrade import upgrade
from gateway.store.sqlite.files import check_log, exclusive
from gateway.store.sqlite.migrations import pending, version

_BUSY_SECONDS: Final = 10.0


@contextmanager
def open_operator(path: Path) -> Iterator[Operator]:
    """The database, made or brought up to date first; one transaction until the block ends.

    Raises:
        ApiError: it has to be migrated while a gateway runs, or it is newer than this program.
    """
    with closing(connected(path)) as connection:
        database = SQLiteDatabase(connection)
        with database.transaction():
            yield Operator(database)


def connected(path: Path) -> sqlite3.Connection:
    """A connection to the database, made or brought up to date first.

    Raises:
        ApiError: as `open_operator`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bring_up_to_date(path)
    database = _connection(path)
    database.execute("PRAGMA foreign_keys = ON")
    return database


def _connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


def bring_up_to_date(path: Path) -> Upgraded:
    """Applies pending migrations under the gateway's lock, after a backup; says which.

    Raises:
        ApiError: a gateway runs, the schema is newer, or there is no room for the backup.
    """
    with closing(_connection(path)) as database:
        if not pending(database):
            return Upgraded(before=version(database))
    with exclusive(path) as descriptor:
        check_log(path, descriptor)
        with closing(_connection(path)) as database:
            return upgrade(database, path)
