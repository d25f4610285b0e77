"""The files of a database under a gateway that runs: bounded while it is well, and watched."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest
from msgspec.structs import replace

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.task import Task
from gateway.loops.checkpoint import QUIET, Checkpointer
from gateway.store.sqlite.admin.backup import back_up
from gateway.store.sqlite.files import DatabaseLost
from gateway.store.sqlite.store import SQLiteStore, open_sqlite
from tests.store.test_sqlite import PLAIN, POLICY, birth

Change = Callable[[Path], object]


async def write(store: SQLiteStore, *names: str, padding: int = 0) -> None:
    """A transaction for each, with so many bytes more."""
    for name in names:
        async with store.transaction() as batch:
            view = UnitOfWork(policy=POLICY)
            task: Task = replace(PLAIN, id=f"task_{name}")
            view.tasks.create(task)
            view.events.put(birth(task, reason="x" * padding))
            await batch.write(view)


def stored(path: Path) -> set[str]:
    """The tasks that a restart would find."""
    with closing(sqlite3.connect(path)) as database:
        return {row[0] for row in database.execute("SELECT id FROM tasks")}


def as_after_a_kill(path: Path, folder: Path) -> Path:
    """The files as they lie there: what a process that was killed leaves."""
    folder.mkdir()
    for end in ("", "-wal"):
        part = path.with_name(path.name + end)
        if part.exists():
            copyfile(part, folder / part.name)
    return folder / path.name


def remove_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def replace_log(path: Path) -> None:
    remove_log(path)
    path.with_name(path.name + "-wal").write_bytes(b"")


def remove_index(path: Path) -> None:
    path.with_name(path.name + "-shm").unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


async def refused(work: Callable[[], Awaitable[object]]) -> str:
    with pytest.raises(DatabaseLost) as raised:
        await work()
    assert raised.value.retry_after
    return f"{raised.value.code}: {raised.value.detail}"


@pytest.mark.parametrize("change", [remove_log, replace_log, remove_index])
async def test_what_was_acknowledged_is_saved_from_a_log_that_was_taken_away(
    tmp_path: Path, change: Change
) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        acknowledged = [f"a{number}" for number in range(50)]
        await write(store, *acknowledged)
        change(path)
        told = await refused(lambda: write(store, "never"))
        assert told.startswith("database_replaced: ")
        assert await refused(store.reads.counts)
        found = stored(as_after_a_kill(path, tmp_path / "killed"))
    assert found == {f"task_{name}" for name in acknowledged}


async def test_a_database_that_was_moved_away_is_noticed_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        await write(store, "a", "b")
        move_away(path)
        assert "slipgate.db was removed" in await refused(lambda: write(store, "never"))
    assert stored(tmp_path / "moved.db") == {"task_a", "task_b"}


async def test_a_backup_that_is_put_in_its_place_is_noticed_and_not_spoiled(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "slipgate.db", tmp_path / "copy.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        await write(store, "kept")
        back_up(path, copy)
        await write(store, "later")
        copy.replace(path)
        assert "was replaced" in await refused(lambda: write(store, "never"))
        assert await refused(store.checkpoint)
    async with open_sqlite(path, new_instance_id=lambda: "j") as store:
        assert sum((await store.reads.counts()).values()) == 1
    assert stored(path) == {"task_kept"}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_backup_that_is_written_into_the_very_file_is_noticed(tmp_path: Path) -> None:
    path, copy = tmp_path / "slipgate.db", tmp_path / "copy.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        await write(store, "kept")
        back_up(path, copy)
        await write(store, "later")
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(copy.read_bytes())
        told = await refused(lambda: write(store, "never"))
        assert "another database was written into slipgate.db" in told


async def test_a_log_beside_a_restored_backup_is_refused(tmp_path: Path) -> None:
    path, copy = tmp_path / "slipgate.db", tmp_path / "copy.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        await write(store, "kept")
        back_up(path, copy)
        await write(store, "later")
        left = as_after_a_kill(path, tmp_path / "killed")
    copyfile(copy, left)
    with pytest.raises(ApiError) as raised:
        async with open_sqlite(left, new_instance_id=lambda: "j"):
            pass
    assert raised.value.code == "stale_wal"
    assert "slipgate.db-wal" in (raised.value.hint or "")
    left.with_name("slipgate.db-wal").unlink()
    async with open_sqlite(left, new_instance_id=lambda: "j") as store:
        assert sum((await store.reads.counts()).values()) == 1


async def test_a_log_that_a_reader_let_grow_is_cut_when_little_happens(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        looks = Checkpointer(lambda: store.written, store.checkpoint)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM tasks").fetchone()
            await write(store, *(f"a{number}" for number in range(40)))
            grown = store.wal_bytes
            await store.checkpoint()
            assert store.wal_bytes == grown > 40 * 4096
        await looks.step()
        assert store.wal_bytes == grown
        await write(store, "pulse")
        await looks.step()
        assert store.wal_bytes == 0
    assert len(stored(path)) == 41


@pytest.mark.parametrize(
    ("written", "expected"), [(0, 0), (1, 1), (QUIET, 1), (QUIET + 1, 0), (400, 0)]
)
async def test_only_when_something_is_new_and_little_happens(written: int, expected: int) -> None:
    done: list[None] = []

    async def checkpoint() -> None:
        done.append(None)

    await Checkpointer(lambda: written, checkpoint).step()
    assert len(done) == expected


async def test_a_log_that_a_reader_let_grow_is_cut_under_load_too(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM tasks").fetchone()
            await write(store, *(f"a{number}" for number in range(6)), padding=4_000_000)
            assert store.wal_bytes > 20_000_000
        await write(store, "b", "c", "d")
        assert store.wal_bytes < 17_000_000
