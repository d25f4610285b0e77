"""One digest tells the scripts of a snapshot from all others."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.runner.digest import BESIDE, script_digest

SNAPSHOT = Path(__file__).resolve().parents[2] / "snapshot"


def _copied(folder: Path) -> Path:
    copy = folder / "app"
    copy.mkdir(parents=True)
    for name in BESIDE:
        shutil.copy(SNAPSHOT / name, copy)
    shutil.copytree(SNAPSHOT / "runner", copy / "runner")
    return copy


def _printed(copy: Path) -> str:
    """As the launcher asks for it: no package around it, and an interpreter without a site."""
    program = [sys.executable, "-I", str(copy / "runner" / "digest.py")]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout.strip()


def _moved(copy: Path) -> None:
    (copy / "runner" / "text.py").rename(copy / "runner" / "agent" / "text.py")


def _changed_lock(copy: Path) -> None:
    with (copy / "requirements.lock").open("a") as lock:
        lock.write("evil==1\n")


def _changed_helper(copy: Path) -> None:
    (copy / "runner" / "repository" / "credential-helper.sh").write_text("")


def test_a_copy_elsewhere_has_the_same_digest(tmp_path: Path) -> None:
    copy = _copied(tmp_path)
    (copy / "runner" / "__pycache__" / "left.pyc").parent.mkdir(exist_ok=True)
    (copy / "runner" / "__pycache__" / "left.pyc").write_bytes(b"compiled")
    (copy / "Dockerfile").write_text("FROM scratch")
    assert _printed(copy) == script_digest()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_moved, id="a file moves"),
        pytest.param(_changed_lock, id="its libraries"),
        pytest.param(_changed_helper, id="a file that is not Python"),
    ],
)
def test_whatever_decides_what_runs_changes_it(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    copy = _copied(tmp_path)
    change(copy)
    assert _printed(copy) != script_digest()
