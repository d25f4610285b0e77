"""The instance of a database: its id on every sandbox, and what a restore does to it."""

import json
from collections.abc import Callable, Sequence
from typing import Final

from gateway.store.sql.admin.database import Database
from gateway.store.sql.admin.opening import Restored

INSTANCE: Final = "SELECT instance_id FROM ledger"
OPEN_LEDGER: Final = "INSERT INTO ledger (one, seq, instance_id) VALUES (1, 0, :instance_id)"
NOTE_KEYS: Final = "UPDATE ledger SET key_ids = :key_ids"
RENAME: Final = "UPDATE ledger SET instance_id = :instance_id"
RESTORE_GAP: Final = 1_000_000_000
"""Numbers of events left out after a restore: more than were given since the backup, which at 1,000
a second would be eleven days old, and a nine-millionth of the integers of JSON."""
NOTE_GAP: Final = """
INSERT INTO restores (seq_before, seq_after) SELECT seq, seq + :gap FROM ledger"""
LEAVE_GAP: Final = "UPDATE ledger SET seq = seq + :gap"


def open_instance(
    database: Database,
    new_instance_id: Callable[[], str],
    *,
    is_copy: bool,
    take_over: bool,
    key_ids: Sequence[str],
) -> Restored | None:
    """Gives a new database its instance id. A restored copy gets a new one too: the gateway it was
    taken from may still run, and its sandboxes are not ours. `take_over` says that it is gone.
    Either way its events get numbers that nobody was told before.
    The ids of the gateway's master keys are noted for those who seal anew beside it. Call it inside
    a transaction."""
    found = instance_of(database)
    restored: Restored | None = None
    if found is None:
        database.write(OPEN_LEDGER, [{"instance_id": new_instance_id()}])
    elif is_copy:
        restored = Restored(before=found, after=found if take_over else new_instance_id())
        database.write(RENAME, [{"instance_id": restored.after}])
        database.write(NOTE_GAP, [{"gap": RESTORE_GAP}])
        database.write(LEAVE_GAP, [{"gap": RESTORE_GAP}])
    database.write(NOTE_KEYS, [{"key_ids": json.dumps(key_ids)}])
    return restored


def instance_of(database: Database) -> str | None:
    """The instance id; None if no gateway was started on the database yet."""
    rows = database.fetch(INSTANCE)
    return str(rows[0][0]) if rows else None
