"""The instance of a SQLite file, and the mark by which a backup is known."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.store.sql.admin import instance
from gateway.store.sql.admin.marks import take_back
from gateway.store.sql.admin.opening import Restored
from gateway.store.sqlite.admin.database import SQLiteDatabase, written
from gateway.store.sqlite.files import exclusive

# Only backups have this table: a gateway that meets it knows that it was started on a restored one.
# A table of its own, and no column, so that backups of every schema can carry it.
BACKUP_TABLE: Final = "backup"
_MARK: Final = "CREATE TABLE backup (instance_id TEXT) STRICT"
_NAME_MARK: Final = "INSERT INTO backup (instance_id) SELECT instance_id FROM ledger"
_UNMARK: Final = "DROP TABLE backup"


def mark_as_backup(copy: sqlite3.Connection) -> None:
    """Says in the copy itself that it is one; a copy of a restored one may say it already."""
    with written(copy):
        if not SQLiteDatabase(copy).has(BACKUP_TABLE):
            copy.execute(_MARK)
            copy.execute(_NAME_MARK)


def note_recovery(path: Path) -> None:
    """Makes the next start treat the file as a restored backup: it was taken from a snapshot of its
    disk.

    Raises:
        ApiError: a gateway has it.
    """
    with exclusive(path), closing(sqlite3.connect(path, isolation_level=None)) as database:
        mark_as_backup(database)


def open_instance(
    database: sqlite3.Connection,
    new_instance_id: Callable[[], str],
    *,
    take_over: bool,
    key_ids: Sequence[str],
) -> Restored | None:
    """Gives a new database, and a restored backup, its instance id."""
    file = SQLiteDatabase(database)
    with file.transaction():
        is_moved = take_back(file, take_over=take_over)
        is_copy = file.has(BACKUP_TABLE)
        restored = instance.open_instance(
            file, new_instance_id, is_copy=is_copy or is_moved, take_over=take_over, key_ids=key_ids
        )
        if is_copy:
            database.execute(_UNMARK)
    return restored
