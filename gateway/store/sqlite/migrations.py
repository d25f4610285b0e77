"""Migrations: numbered, forward-only files, each applied in one transaction."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.domain.kernel.errors import ApiError

FOLDER: Final = Path(__file__).parents[3] / "migrations" / "sqlite"


def newest() -> int:
    """The schema version this program is made for."""
    return max(number for number, _ in _files())


def version(database: sqlite3.Connection) -> int:
    """The schema version of a database; 0 is an empty one."""
    (number,) = database.execute("PRAGMA user_version").fetchone()
    return int(number)


def pending(database: sqlite3.Connection) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: `newer_schema`, the database was made by a newer program.
    """
    have, known = version(database), newest()
    if have > known:
        raise ApiError(
            "newer_schema",
            f"The database has schema {have}, this program knows up to {known}.",
            hint="Start the newer slipgate, or restore a backup made before the upgrade.",
        )
    return [number for number, _ in _files() if number > have]


def require_newest(database: sqlite3.Connection) -> None:
    """For those who read and may not migrate.

    Raises:
        ApiError: `newer_schema`, or `older_schema`.
    """
    if pending(database):
        raise ApiError(
            "older_schema",
            f"The database has schema {version(database)}, this program reads {newest()}.",
            hint="Run `slipgate migrate`, or start the gateway once: both keep a copy of it as it "
            "was.",
        )


def migrate(database: sqlite3.Connection) -> list[int]:
    """Applies what is pending and says which; each file is one transaction."""
    applied = pending(database)
    for number, file in _files():
        if number in applied:
            # One script: a BEGIN sent apart from it would be ended by `executescript`.
            database.executescript(
                f"BEGIN IMMEDIATE;\n{file.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;"
            )
    return applied


def _files() -> Iterator[tuple[int, Path]]:
    for file in sorted(FOLDER.glob("*.sql")):
        yield int(file.name.split("_", 1)[0]), file
