"""Checks of a database as a whole: its file, schema, numbers and keys."""

import sqlite3
from collections.abc import Container, Iterator
from contextlib import closing
from typing import Final

from gateway.domain.invariants.task_rows import Problem, ProblemName
from gateway.store.sql.operations import KEYS_NEEDED
from gateway.store.sqlite.admin.instance import BACKUP_TABLE
from gateway.store.sqlite.migrations import migrate

_SCHEMA: Final = """
SELECT type || ' ' || name, sql FROM sqlite_schema
WHERE name NOT LIKE 'sqlite_%' AND name <> :backup"""
_NUMBERS: Final = """
SELECT ledger.seq, (SELECT coalesce(max(seq), 0) FROM events),
    (SELECT coalesce(max(seq), 0) FROM pruned), (SELECT coalesce(max(seq_after), 0) FROM restores)
FROM ledger"""
_LEFT_OUT: Final = """
SELECT coalesce(sum(seq_after - max(seq_before, :seq)), 0) FROM restores WHERE seq_after > :seq"""
_KEPT_SINCE: Final = "SELECT count(*) FROM events WHERE seq > :seq"

_TORN: Final = """
SELECT task_id, task_seq, 'the event of a piece of its patch is missing' FROM patch_pieces AS piece
WHERE NOT EXISTS (
    SELECT 1 FROM events AS event
    WHERE event.task_id = piece.task_id AND event.task_seq = piece.task_seq
      AND event.type = 'task.patch' AND event.attempt = piece.attempt)
UNION ALL
SELECT task_id, task_seq, 'the text of a piece of its patch is missing' FROM events AS event
WHERE type = 'task.patch' AND NOT EXISTS (
    SELECT 1 FROM patch_pieces AS piece
    WHERE piece.task_id = event.task_id AND piece.task_seq = event.task_seq)
  AND NOT EXISTS (
    SELECT 1 FROM tasks AS task WHERE task.id = event.task_id AND task.purged_at IS NOT NULL)"""


def check_database(
    database: sqlite3.Connection, key_ids: Container[str] | None
) -> Iterator[Problem]:
    """The problems of the file, its schema, its numbers and its keys."""
    for (text,) in database.execute("PRAGMA integrity_check"):
        if text != "ok":
            yield _problem("integrity", text)
    for table, row, parent, _ in database.execute("PRAGMA foreign_key_check"):
        yield _problem("foreign_key", f"row {row} of {table} refers to no row of {parent}")
    yield from _schema(database)
    yield from _numbers(database)
    for task_id, number, detail in database.execute(_TORN):
        yield Problem(name="patch_torn", subject=task_id, detail=f"event {number}: {detail}")
    if key_ids is not None:
        yield from _keys(database, key_ids)


def _schema(database: sqlite3.Connection) -> Iterator[Problem]:
    """An index that is missing is no damage to SQLite, and yet a promise that nobody keeps."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        wanted = dict(fresh.execute(_SCHEMA, {"backup": BACKUP_TABLE}))
    found = dict(database.execute(_SCHEMA, {"backup": BACKUP_TABLE}))
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            yield _problem("schema_differs", f"{name} is not as the migrations make it")


def _numbers(database: sqlite3.Connection) -> Iterator[Problem]:
    """Events are numbered by the ledger without gaps but those of restores, and deleted only up to
    a number it keeps."""
    row = database.execute(_NUMBERS).fetchone()
    if row is None:
        return
    seq, newest, pruned, restored = row
    if seq != max(newest, pruned, restored):
        yield _problem("ledger_behind", f"it counts {seq} events, the newest one is {newest}")
    (kept,) = database.execute(_KEPT_SINCE, {"seq": pruned}).fetchone()
    (left_out,) = database.execute(_LEFT_OUT, {"seq": pruned}).fetchone()
    missing = seq - pruned - left_out - kept
    if missing > 0:
        yield _problem("events_lost", f"{missing} of the events it counts are missing")


def _keys(database: sqlite3.Connection, key_ids: Container[str]) -> Iterator[Problem]:
    for key_id, what, count in database.execute(KEYS_NEEDED):
        if key_id not in key_ids:
            yield _problem("unknown_key", f"{count} {what} need master key {key_id}")


def _problem(name: ProblemName, detail: str) -> Problem:
    return Problem(name=name, subject="database", detail=detail)
