"""A backup is a whole, checked copy of one moment, and knows that it is one."""

import asyncio
import shutil
import sqlite3
import stat
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.store.sqlite.admin.audit import audit
from gateway.store.sqlite.admin.backup import back_up
from gateway.store.sqlite.store import open_sqlite
from tests.store.old import EVENTS, SCHEMAS, TASKS, make_old
from tests.store.test_ledger import creation, opened


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "slipgate.db"
    make_old(path, SCHEMAS[-1])
    return path


def _note(seen: list[tuple[int, int]], done: int, total: int) -> None:
    seen.append((done, total))


async def test_a_backup_beside_a_writing_ledger_is_whole(tmp_path: Path) -> None:
    path, target = tmp_path / "slipgate.db", tmp_path / "copy.db"
    async with opened(path) as (ledger, store):
        writing = asyncio.gather(*(ledger.submit(creation(n)) for n in range(2_000)))
        await asyncio.sleep(0)
        copied: list[tuple[int, int]] = []
        on_progress = partial(_note, copied)
        contents = await asyncio.to_thread(back_up, path, target, on_progress=on_progress)
        await writing
        assert copied[-1][0] == copied[-1][1] > 0
        assert (await store.reads.counts())["queued"] == 2_000
    found = audit(target)
    assert found.problems == ()
    assert (found.tasks, found.events) == (contents.tasks, contents.events)
    assert contents.instance_id == "inst_1"


def test_a_backup_is_one_file_for_its_owner_alone(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "monday.db"
    target.parent.mkdir()
    contents = back_up(database, target)
    assert (contents.tasks, contents.events) == (TASKS, EVENTS)
    checked: list[tuple[int, int]] = []
    audit(target, on_progress=partial(_note, checked))
    assert checked == [(0, TASKS)]
    assert [file.name for file in target.parent.iterdir()] == ["monday.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_only_replaced_on_demand(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(ApiError, match="backup_exists"):
        back_up(database, target)
    assert target.read_text() == "mine"
    back_up(database, target, overwrite=True)
    assert audit(target).problems == ()


def test_the_database_itself_is_never_replaced(database: Path) -> None:
    with pytest.raises(ApiError, match="backup_exists"):
        back_up(database, database, overwrite=True)
    assert audit(database).tasks == TASKS


def test_a_backup_that_fails_leaves_nothing_behind(database: Path, tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="backup_failed") as refused:
        back_up(database, tmp_path / "nowhere" / "copy.db")
    assert "folder must exist" in (refused.value.hint or "")
    folder = tmp_path / "copies"
    folder.mkdir()
    damage(database)
    with pytest.raises(ApiError, match="backup_failed") as refused:
        back_up(database, folder / "copy.db")
    assert "slipgate verify" in (refused.value.hint or "")
    assert list(folder.iterdir()) == []


async def test_a_restored_backup_gets_an_instance_of_its_own(
    database: Path, tmp_path: Path
) -> None:
    before = instance_of(database)
    copy = tmp_path / "restored.db"
    back_up(database, copy)
    async with open_sqlite(copy, new_instance_id=lambda: "ins_new") as store:
        assert store.instance_id == "ins_new"
        assert store.opening.restored is not None
        assert (store.opening.restored.before, store.opening.restored.after) == (before, "ins_new")
    async with open_sqlite(copy, new_instance_id=lambda: "ins_other") as store:
        assert store.instance_id == "ins_new"
        assert store.opening.restored is None
    assert audit(copy).problems == ()


async def test_a_restored_backup_that_takes_over_keeps_its_instance(
    database: Path, tmp_path: Path
) -> None:
    before = instance_of(database)
    copy = tmp_path / "restored.db"
    back_up(database, copy)
    async with open_sqlite(copy, new_instance_id=lambda: "ins_new", take_over=True) as store:
        assert store.instance_id == before
    async with open_sqlite(copy, new_instance_id=lambda: "ins_new") as store:
        assert store.instance_id == before


async def test_the_backup_of_an_upgrade_is_recognised_too(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    make_old(path, SCHEMAS[0])
    async with open_sqlite(path, new_instance_id=lambda: "ins_new") as store:
        kept = store.opening.upgraded.backup
    assert kept is not None
    back = tmp_path / "back" / "slipgate.db"
    back.parent.mkdir()
    shutil.copy(kept, back)
    async with open_sqlite(back, new_instance_id=lambda: "ins_new") as store:
        assert store.instance_id == "ins_new"


def test_a_backup_of_a_backup_is_still_one(database: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    back_up(database, first)
    assert back_up(first, second) == back_up(database, tmp_path / "third.db")


def instance_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        (instance_id,) = database.execute("SELECT instance_id FROM ledger").fetchone()
    return str(instance_id)


def damage(path: Path) -> None:
    """Breaks a CHECK behind the database's back: the file can be read, and is wrong."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("UPDATE tasks SET priority = 77")
