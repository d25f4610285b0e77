"""`slipgate restore`: a backup is tried or restored, and nothing is replaced."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from gateway.cli.operations.restore import Restored
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
