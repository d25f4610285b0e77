"""The place where columns and fields meet: neither may change without the other."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.store.sql import rows
from gateway.store.sql.rows import Columns
from tests.databases import new_database
from tests.store.test_sqlite import FULL

COLUMNS: dict[str, Columns[Any]] = {
    "tasks": rows.TASK,
    "attempts": rows.ATTEMPT,
    "jobs": rows.JOB,
    "events": rows.EVENT,
    "endpoints": rows.ENDPOINT,
    "replays": rows.REPLAY,
    "bulk_actions": rows.BULK_ACTION,
    "subscriptions": rows.SUBSCRIPTION,
    "signing_secrets": rows.SIGNING_SECRET,
    "deliveries": rows.DELIVERY_STATE,
    "launchers": rows.LAUNCHER,
    "realms": rows.REALM,
    "taken_keys": rows.HOLD,
    "workspaces": rows.WORKSPACE,
    "api_keys": rows.API_KEY,
    "audit": rows.AUDIT_ENTRY,
    "alerts": rows.ALERT,
    "pauses": rows.PAUSE,
}
WRITTEN_WHOLE = {
    *(
        "alerts",
        "attempts",
        "launchers",
        "pauses",
        "realms",
        "replays",
        "subscriptions",
        "taken_keys",
    ),
    "workspaces",
}
"""Tables whose rows are written over by all their columns."""
OTHER_NAMES = {
    "attempts": {"first_event_at": "spoke_at"},
    "endpoints": {"failure_event_at": "told_at"},
    "jobs": {"orphan": "stray"},
    "launchers": {"launcher_id": "id", "at": "called_at"},
}
"""By table, the fields that have another name than their column."""


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_columns_and_fields_agree(table: str) -> None:
    columns, other = COLUMNS[table], OTHER_NAMES.get(table, {})
    fields = columns.kind.__struct_fields__
    assert columns.names == tuple(other.get(name, name) for name in fields)


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_the_table_has_these_columns(table: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(new_database(tmp_path / "empty.db"))) as database:
        known = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
    assert set(COLUMNS[table].names) <= known
    assert table not in WRITTEN_WHOLE or set(COLUMNS[table].names) == known


def test_a_document_is_written_as_json() -> None:
    values = dict(zip(rows.TASK.names, rows.TASK.values(FULL), strict=True))
    assert json.loads(values["sandbox"])["id"] == "s1"


def test_parameters_are_numbered_by_their_columns() -> None:
    statement = rows.REALM.numbered("UPDATE realms SET due_at = :due_at WHERE realm = :realm")
    assert statement == "UPDATE realms SET due_at = ?5 WHERE realm = ?2"


def test_a_row_is_written_over_the_one_with_the_same_key() -> None:
    statement = " ".join(rows.ALERT.upsert("alerts", "id").split())
    assert statement == (
        "INSERT INTO alerts (id, seq, since) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, since = excluded.since"
    )
