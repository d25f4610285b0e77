"""Marks of a database that was copied to another kind, or is the copy: tables that it else has not.

They are tables of their own, and no columns, so that nothing of them is left when they are gone.
"""

from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.database import Database

MOVED: Final = "moved"
MARK_MOVED: Final = "CREATE TABLE moved (copy TEXT NOT NULL, target TEXT NOT NULL)"
NOTE_MOVED: Final = "INSERT INTO moved (copy, target) VALUES (:copy, :target)"
READ_MOVED: Final = "SELECT copy, target FROM moved"
UNMARK_MOVED: Final = "DROP TABLE moved"

COPYING: Final = "copying"
MARK_COPYING: Final = """
CREATE TABLE copying (kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (kind, name))"""
UNMARK_COPYING: Final = "DROP TABLE copying"


def check_marks(database: Database) -> None:
    """For those who use the database.

    Raises:
        ApiError: `copy_unfinished`, or `database_moved`.
    """
    if database.has(COPYING):
        raise ApiError(
            "copy_unfinished",
            "This database is the copy of another one, and not whole yet.",
            hint="Run the same `slipgate copy` again: it goes on where it stood.",
        )
    if database.has(MOVED):
        ((_, target),) = database.fetch(READ_MOVED)
        raise ApiError(
            "database_moved",
            f"This database was copied to {target} by `slipgate copy`, and is used there.",
            hint="Set SLIPGATE_DATABASE_URL to that one; or, if it was given up, start the gateway "
            "here with --take-over.",
        )


def take_back(database: Database, *, take_over: bool) -> bool:
    """For a start: the database that was copied goes on if it takes over, as a restored copy does.

    Raises:
        ApiError: as `check_marks`.
    """
    is_moved = take_over and not database.has(COPYING) and database.has(MOVED)
    if is_moved:
        database.fetch(UNMARK_MOVED)
    check_marks(database)
    return is_moved
