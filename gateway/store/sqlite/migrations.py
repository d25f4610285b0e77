"""Migrations of a SQLite file; its header has the schema version."""

import sqlite3
from typing import Final

from gateway.store.sql.migrations import Migrations

_MIGRATIONS: Final = Migrations(
    "sqlite",
    remedy="Run `slipgate migrate`, or start the gateway once: both keep a copy of it as it was.",
)
FOLDER: Final = _MIGRATIONS.folder
newest: Final = _MIGRATIONS.newest


def version(database: sqlite3.Connection) -> int:
    """The schema version of a database; 0 is an empty one."""
    (number,) = database.execute("PRAGMA user_version").fetchone()
    return int(number)


def pending(database: sqlite3.Connection) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: `newer_schema`, the database was made by a newer program.
    """
    return _MIGRATIONS.pending(version(database))


def require_newest(database: sqlite3.Connection) -> None:
    """For those who read and may not migrate.

    Raises:
        ApiError: `newer_schema`, or `older_schema`.
    """
    _MIGRATIONS.require_newest(version(database))


def migrate(database: sqlite3.Connection) -> list[int]:
    """Applies what is pending and says which; each file is one transaction."""
    applied = pending(database)
    for number, file in _MIGRATIONS.files():
        if number in applied:
            # One script: a BEGIN sent apart from it would be ended by `executescript`.
            database.executescript(
                f"BEGIN IMMEDIATE;\n{file.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;"
            )
    return applied
