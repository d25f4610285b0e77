"""`slipgate restore`: a backup is tried or restored, and nothing is replaced."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.cli.operations.restore import Restored
from gateway.store.sql.admin.instance import RESTORE_GAP
from gateway.store.sql.admin.opening import Restored as Restoration
from gateway.store.sqlite.admin.instance import open_instance
from gateway.store.sqlite.files import exclusive
from tests.cli.test_operator_commands import environ, minted, run

__all__ = ("environ",)


@pytest.fixture
def backup(environ: Mapping[str, str], tmp_path: Path) -> Path:
    """A backup of a database with a project."""
    minted(environ)
    file = tmp_path / "backup.db"
    assert run(environ, "backup", str(file)).returncode == 0
    return file


def test_a_drill_restores_into_a_file_that_is_gone_afterwards(
    environ: Mapping[str, str], backup: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    done = run(environ, "restore", "--check", str(backup), "--json")
    assert done.returncode == 0, done.stderr
    restored = msgspec.json.decode(done.stdout, type=Restored)
    assert (restored.ok, restored.file, restored.problems) == (True, None, ())
    assert sorted(tmp_path.iterdir()) == before


def test_a_backup_is_restored_into_a_new_database_only(
    environ: Mapping[str, str], backup: Path, tmp_path: Path
) -> None:
    refused = run(environ, "restore", str(backup))
    assert refused.returncode == 1
    assert b"which is not replaced" in refused.stderr
    elsewhere = tmp_path / "new" / "s.db"
    done = run(
        {**environ, "SLIPGATE_DATABASE_URL": f"sqlite:///{elsewhere}"}, "restore", str(backup)
    )
    assert done.returncode == 0, done.stderr
    assert b"--take-over" in done.stdout
    assert elsewhere.exists()


def test_a_file_that_is_no_backup_is_told(environ: Mapping[str, str], tmp_path: Path) -> None:
    missing = run(environ, "restore", "--check", str(tmp_path / "nope.db"))
    assert (missing.returncode, b"There is no backup at" in missing.stderr) == (1, True)
    (tmp_path / "other.db").write_text("not a database, and long enough to be read as one" * 20)
    other = run(environ, "restore", "--check", str(tmp_path / "other.db"))
    assert other.returncode == 1
    assert b"other.db" in other.stderr
    assert b"Traceback" not in other.stderr


def test_a_file_from_a_snapshot_of_its_disk_is_a_restored_one_by_the_word_of_the_operator(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    minted(environ)
    for words in ((), ("--recovered", "--check"), ("--recovered", str(tmp_path / "s.db"))):
        assert run(environ, "restore", *words).returncode == 2
    with exclusive(tmp_path / "s.db"):
        held = run(environ, "restore", "--recovered")
    assert (held.returncode, b"Another gateway" in held.stderr) == (1, True)
    assert run(environ, "restore", "--recovered", "--json").returncode == 0
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as database:
        restored = open_instance(database, lambda: "ins_1", take_over=False, key_ids=())
        assert restored is None  # no gateway was ever started on it
        database.execute("UPDATE ledger SET seq = 7")
    assert run(environ, "restore", "--recovered").returncode == 0
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as database:
        restored = open_instance(database, lambda: "ins_2", take_over=False, key_ids=())
        (number,) = database.execute("SELECT seq FROM ledger").fetchone()
    assert (restored, number) == (Restoration(before="ins_1", after="ins_2"), 7 + RESTORE_GAP)
