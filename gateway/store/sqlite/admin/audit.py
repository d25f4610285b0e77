"""The audit of a SQLite file, beside a gateway that may run."""

import sqlite3
from collections.abc import Container
from contextlib import closing
from pathlib import Path

from gateway.store.sql.admin.audit import Audit, audit_rows
from gateway.store.sql.admin.database import OnProgress, ignore_progress
from gateway.store.sqlite.admin.check_file import check_file
from gateway.store.sqlite.admin.database import SQLiteDatabase
from gateway.store.sqlite.migrations import require_newest


def audit(
    path: Path, *, key_ids: Container[str] | None = None, on_progress: OnProgress = ignore_progress
) -> Audit:
    """Checks the whole database; `key_ids` are those of the master keys, None if unknown.
    `on_progress` is called with the tasks that are checked, and all of them.

    Raises:
        ApiError: the database has another schema than this program's.
    """
    # Not mode=ro: on such a connection SQLite 3.40 leaves CHECKs out of its integrity check.
    uri = f"{path.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
        database.execute("PRAGMA query_only = ON")
        require_newest(database)
        database.execute("BEGIN")
        storage = check_file(database)
        return audit_rows(
            SQLiteDatabase(database), storage, key_ids=key_ids, on_progress=on_progress
        )
