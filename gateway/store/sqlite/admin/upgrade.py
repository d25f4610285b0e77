"""Upgrades of a SQLite file, each with a backup made before the schema changes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.opening import Upgraded
from gateway.store.sqlite.admin.backup import back_up
from gateway.store.sqlite.files import check_log, exclusive
from gateway.store.sqlite.migrations import migrate, pending, version

_BUSY_SECONDS: Final = 10.0


def upgrade(database: sqlite3.Connection, path: Path) -> Upgraded:
    """Applies what is pending, after a checked backup; call it under the gateway's lock.

    Raises:
        ApiError: `newer_schema`; `backup_failed`, and then nothing was changed.
    """
    before, waiting = version(database), pending(database)
    if not waiting:
        return Upgraded(before=before)
    database.execute("PRAGMA journal_mode = WAL")
    backup = _keep(path, before, waiting) if before else None
    return Upgraded(before=before, applied=tuple(migrate(database)), backup=backup)


def _keep(path: Path, before: int, waiting: list[int]) -> Path:
    backup = path.with_name(f"{path.name}.before-{waiting[0]}")
    try:
        back_up(path, backup, overwrite=True)
    except ApiError as refusal:
        raise ApiError(
            refusal.code,
            f"The database has schema {before} and has to be brought to {waiting[-1]}, but not "
            f"without a way back. {refusal.detail}",
            hint=refusal.hint,
        ) from refusal
    return backup


def connected(path: Path) -> sqlite3.Connection:
    """A connection to the database, made or brought up to date first.

    Raises:
        ApiError: it has to be migrated while a gateway runs, or it is newer than this program.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bring_up_to_date(path)
    database = _connection(path)
    database.execute("PRAGMA foreign_keys = ON")
    return database


def _connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


def pending_of(path: Path) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: `newer_schema`.
    """
    with closing(_connection(path)) as database:
        return pending(database)


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
