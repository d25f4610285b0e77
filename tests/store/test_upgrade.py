"""Upgrades from every schema there ever was, with real data and a way back."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.admin.opening import Upgraded
from gateway.store.sqlite.admin.audit import audit
from gateway.store.sqlite.admin.upgrade import bring_up_to_date
from gateway.store.sqlite.migrations import newest, version
from gateway.store.sqlite.store import open_sqlite
from tests.store.old import EVENTS, SCHEMAS, TASKS, make_old


def counts(path: Path) -> tuple[int, int, int]:
    """Schema, tasks and events."""
    with closing(sqlite3.connect(path)) as database:
        (tasks,) = database.execute("SELECT count(*) FROM tasks").fetchone()
        (events,) = database.execute("SELECT count(*) FROM events").fetchone()
        return version(database), tasks, events


def upgraded(path: Path) -> Upgraded:
    return bring_up_to_date(path)


@pytest.mark.parametrize("schema", SCHEMAS[:-1])
async def test_a_gateway_goes_on_with_the_data_of_any_older_version_and_keeps_it_as_it_was(
    tmp_path: Path, schema: int
) -> None:
    path = tmp_path / "slipgate.db"
    make_old(path, schema)
    async with open_sqlite(path, new_instance_id=lambda: "ins_new") as store:
        assert store.instance_id != "ins_new"
        assert sum((await store.reads.counts()).values()) == TASKS
    assert counts(path) == (newest(), TASKS, EVENTS)
    assert audit(path).problems == ()
    following = SCHEMAS[SCHEMAS.index(schema) + 1]
    (as_it_was,) = tmp_path.glob("*.before-*")
    assert as_it_was.name == f"slipgate.db.before-{following}"
    assert counts(as_it_was) == (schema, TASKS, EVENTS)
    assert upgraded(path) == Upgraded(before=newest())


def test_the_way_back_is_told(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    make_old(path, SCHEMAS[0])
    done = upgraded(path)
    assert done.before == SCHEMAS[0]
    assert done.backup == tmp_path / f"slipgate.db.before-{SCHEMAS[1]}"


def test_a_new_database_needs_no_way_back(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    assert upgraded(path).backup is None
    assert [file.name for file in tmp_path.glob("*.before-*")] == []


def test_without_room_for_the_backup_nothing_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    make_old(path, SCHEMAS[0])
    # What stands in the way of the copy, for root too.
    (tmp_path / f"slipgate.db.before-{SCHEMAS[1]}").mkdir()
    with pytest.raises(ApiError, match="backup_failed") as refused:
        upgraded(path)
    assert f"schema {SCHEMAS[0]}" in refused.value.detail
    assert f"to {newest()}" in refused.value.detail
    assert "room" in (refused.value.hint or "")
    assert counts(path) == (SCHEMAS[0], TASKS, EVENTS)
