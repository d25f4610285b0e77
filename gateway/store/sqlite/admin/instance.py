"""The instance of a database: its id on every sandbox, and the mark of a backup."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from gateway.domain.tasks.task import Frozen

# Only backups have this table: a gateway that meets it knows that it was started on a restored one.
# A table of its own, and no column, so that backups of every schema can carry it.
BACKUP_TABLE: Final = "backup"
_MARK: Final = "CREATE TABLE backup (instance_id TEXT) STRICT"
_NAME_MARK: Final = "INSERT INTO backup (instance_id) SELECT instance_id FROM ledger"
_IS_MARKED: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'backup'"
_UNMARK: Final = "DROP TABLE backup"
_INSTANCE: Final = "SELECT instance_id FROM ledger"
_OPEN_LEDGER: Final = "INSERT INTO ledger (one, seq, instance_id) VALUES (1, 0, :instance_id)"
_NOTE_KEYS: Final = "UPDATE ledger SET key_ids = :key_ids"
_RENAME: Final = "UPDATE ledger SET instance_id = :instance_id"
RESTORE_GAP: Final = 1_000_000_000
"""Numbers of events left out after a restore: more than were given since the backup, which at 1,000
a second would be eleven days old, and a nine-millionth of the integers of JSON."""
_NOTE_GAP: Final = """
INSERT INTO restores (seq_before, seq_after) SELECT seq, seq + :gap FROM ledger"""
_LEAVE_GAP: Final = "UPDATE ledger SET seq = seq + :gap"


class Restored(Frozen, frozen=True, kw_only=True):
    """The instance ids of a restored backup."""

    before: str
    after: str


def mark_as_backup(copy: sqlite3.Connection) -> None:
    """Says in the copy itself that it is one; a copy of a restored one may say it already."""
    with written(copy):
        if not _is_backup(copy):
            copy.execute(_MARK)
            copy.execute(_NAME_MARK)


def open_instance(
    database: sqlite3.Connection,
    new_instance_id: Callable[[], str],
    *,
    take_over: bool,
    key_ids: Sequence[str],
) -> Restored | None:
    """Gives a new database its instance id. A restored backup gets a new one too: the gateway it
    was taken from may still run, and its sandboxes are not ours. `take_over` says that it is gone.
    Either way its events get numbers that nobody was told before.
    The ids of the gateway's master keys are noted for those who seal anew beside it."""
    with written(database):
        found = database.execute(_INSTANCE).fetchone()
        restored: Restored | None = None
        if found is None:
            database.execute(_OPEN_LEDGER, {"instance_id": new_instance_id()})
        elif _is_backup(database):
            after = found[0] if take_over else new_instance_id()
            database.execute(_RENAME, {"instance_id": after})
            database.execute(_NOTE_GAP, {"gap": RESTORE_GAP})
            database.execute(_LEAVE_GAP, {"gap": RESTORE_GAP})
            restored = Restored(before=found[0], after=after)
        if _is_backup(database):
            database.execute(_UNMARK)
        database.execute(_NOTE_KEYS, {"key_ids": json.dumps(key_ids)})
    return restored


def _is_backup(database: sqlite3.Connection) -> bool:
    return database.execute(_IS_MARKED).fetchone() is not None


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
