"""Backups: a whole copy of one moment, checked before it gets its name."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.task import Frozen
from gateway.store.sql.admin.database import OnProgress, ignore_progress
from gateway.store.sqlite.admin.instance import mark_as_backup
from gateway.store.sqlite.migrations import version

_CONTENTS: Final = """
SELECT (SELECT instance_id FROM ledger), (SELECT count(*) FROM tasks),
    (SELECT count(*) FROM events), (SELECT max(seq) FROM events), (SELECT count(*) FROM api_keys)"""

PAGES: Final = 2_000
"""Copied between two signs of progress: 8 MB."""


class Contents(Frozen, frozen=True, kw_only=True):
    """The contents of a database that a copy is compared by."""

    schema: int
    instance_id: str | None
    """None: no gateway has been started on it yet."""
    tasks: int
    events: int
    seq: int | None
    """Number of the newest event."""
    keys: int


def back_up(
    source: Path,
    target: Path,
    *,
    overwrite: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> Contents:
    """Copies the database to `target`, for its owner alone; a gateway may run and goes on writing.
    `on_progress` is called with the pages that are copied, and all of them.

    Raises:
        ApiError: `backup_exists`; `backup_failed`, and then `target` is as it was.
    """
    if target.exists() and (not overwrite or target.samefile(source)):
        raise ApiError(
            "backup_exists",
            f"{target} is there already.",
            hint="Name another file, or replace a backup with --force.",
        )
    try:
        with _draft_of(target) as draft:
            contents = _copy(source, draft, on_progress)
            _publish(draft, target, overwrite)
    except (OSError, sqlite3.OperationalError) as exc:
        raise ApiError(
            "backup_failed",
            f"The backup {target} could not be made: {exc}.",
            hint="Its folder must exist, be writable, and have as much room as the database. "
            "Nothing was kept of the copy, and the database is untouched.",
        ) from exc
    return contents


@contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    """A file beside it, on the same disk: a copy that is cut short never has the name of one."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    try:
        yield draft
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            draft.with_name(draft.name + end).unlink(missing_ok=True)


def _copy(source: Path, draft: Path, on_progress: OnProgress) -> Contents:
    uri = f"{source.resolve().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as live,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        # One moment for the copy and for what it is compared with. In WAL mode nobody waits for it.
        live.execute("BEGIN")
        wanted = _contents_of(live)
        live.backup(
            copy, pages=PAGES, progress=lambda _, left, all_: on_progress(all_ - left, all_)
        )
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        mark_as_backup(copy)
        _check(copy, wanted)
    return wanted


def _check(copy: sqlite3.Connection, wanted: Contents) -> None:
    (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok" or _contents_of(copy) != wanted:
        raise ApiError(
            "backup_failed",
            f"The copy is not what was to be copied: {found}.",
            hint="Run `slipgate verify`: the database itself, or its disk, may be damaged.",
        )


def _contents_of(database: sqlite3.Connection) -> Contents:
    instance_id, tasks, events, seq, keys = database.execute(_CONTENTS).fetchone()
    return Contents(
        schema=version(database),
        instance_id=instance_id,
        tasks=tasks,
        events=events,
        seq=seq,
        keys=keys,
    )


def _publish(draft: Path, target: Path, overwrite: bool) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    if overwrite:
        draft.replace(target)
    else:
        target.hardlink_to(draft)  # unlike a rename it never takes the place of another file
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
