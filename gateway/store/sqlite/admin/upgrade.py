"""Upgrades, each with a backup made before the schema changes."""

import sqlite3
from pathlib import Path

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.opening import Upgraded
from gateway.store.sqlite.admin.backup import back_up
from gateway.store.sqlite.migrations import migrate, pending, version


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
