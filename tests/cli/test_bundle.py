"""Run bundles: an attempt in one file, and again without a model."""

import io
import random
import tarfile
from pathlib import Path

import pytest

from gateway.cli.bundle.archive import read, write
from tests.cli.operator import Json, Operator
from tests.snapshot.repositories import FIX, WIDGETS, Bare, git

CHECK: Json = {"command": "make test", "exitCode": 0, "seconds": 1.0, "status": "passed"}


@pytest.fixture
def remote(tmp_path: Path) -> Bare:
    return Bare.made(tmp_path / "remote", WIDGETS)


def diff_of(remote: Bare, folder: Path) -> str:
    """The difference that mends the project."""
    git("clone", "-q", str(remote.path), str(folder), at=remote.path)
    source = folder / "widgets.py"
    source.write_text(source.read_text().replace("n + n + 1", "2 * n"))
    return git("diff", at=folder) + "\n"


def ended(operator: Operator, remote: Bare, folder: Path, **end: object) -> str:
    """A task whose agent has mended the project."""
    task = operator.creates()
    text = diff_of(remote, folder)
    base = remote.branches()["main"]
    operator.says(task, type="task.started", scriptDigest="d1")
    operator.says(task, type="task.log", offset=0, chunk="$ sed\n")
    size = len(text.encode())
    operator.says(task, type="task.patch", offset=0, chunk=text, size=size, baseSha=base)
    operator.says(task, type="task.trajectory", offset=0, chunk='{"messages": []}')
    given = {"summary": "Doubled.", "validation": [CHECK]} | end
    operator.says(task, type="task.completed", **given)
    return task


def test_a_run_is_written_whole_and_replayed_without_a_model(
    operator: Operator, remote: Bare, tmp_path: Path
) -> None:
    task = ended(operator, remote, tmp_path / "clone")
    file = tmp_path / "run.tar.gz"
    typed = operator.types("tasks", "bundle", task, "--output", str(file), "--json")
    assert typed.code == 0, typed.err
    manifest = typed.document
    assert (manifest["taskId"], manifest["scriptDigest"]) == (task, "d1")
    assert manifest["baseSha"] == remote.branches()["main"]
    with tarfile.open(file) as archive:
        assert sorted(archive.getnames()) == [
            *("events.json", "log.txt", "manifest.json", "patch.diff"),
            *("prompt.txt", "receipts.json", "trajectory.json"),
        ]
    replayed = operator.types("bundle", "replay", str(file), "--repo", str(remote.path), "--json")
    assert replayed.code == 0, replayed.err + replayed.out
    checks = replayed.document["checks"]
    assert checks == [{"command": "make test", "then": "passed", "now": "passed"}]
    assert set(remote.branches()) == {"main"}, "nothing is pushed"


def test_a_replay_that_ends_otherwise_fails_and_shows_both(
    operator: Operator, remote: Bare, tmp_path: Path
) -> None:
    failed = CHECK | {"exitCode": 2, "status": "failed"}
    task = ended(operator, remote, tmp_path / "clone", validation=[failed])
    file = tmp_path / "run.tar.gz"
    operator.types("tasks", "bundle", task, "--output", str(file))
    replayed = operator.types("bundle", "replay", str(file), "--repo", str(remote.path))
    assert replayed.code == 1
    assert replayed.out.splitlines()[1].split() == ["make", "test", "failed", "passed"]


def test_a_task_that_has_not_ended_has_no_bundle(operator: Operator, tmp_path: Path) -> None:
    typed = operator.types("tasks", "bundle", operator.creates(), "--output", str(tmp_path / "x"))
    assert typed.code == 1
    assert "has ended" in typed.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no archive"], ids=["empty", "text"])
def test_a_file_that_is_no_bundle_is_refused(
    operator: Operator, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "run.tar.gz"
    file.write_bytes(content)
    typed = operator.types("bundle", "replay", str(file))
    assert (typed.code, "it is no run bundle" in typed.err) == (1, True)


def packed(*entries: tuple[str, bytes]) -> bytes:
    """An archive with these entries."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def broken_off() -> bytes:
    """An archive whose compressed content is damaged behind its beginning."""
    whole = packed(("log.txt", random.Random(1).randbytes(200_000).hex().encode()))
    return whole[:100_000] + random.Random(2).randbytes(len(whole) - 100_000)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (packed(("log.txt", b"one"), ("log.txt", b"two")), "it holds 'log.txt' twice"),
        (packed(("manifest.json", b'{"more":' + b"[" * 100_000)), "recursion"),
        (broken_off(), "Error -3"),
    ],
    ids=["a file twice", "nested too deeply", "damaged"],
)
def test_a_hostile_bundle_is_refused(
    operator: Operator, tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "run.tar.gz"
    file.write_bytes(content)
    typed = operator.types("bundle", "replay", str(file))
    assert (typed.code, "it is no run bundle" in typed.err) == (1, True)
    assert reason in typed.err


def test_a_bundle_that_was_altered_is_refused(
    operator: Operator, remote: Bare, tmp_path: Path
) -> None:
    task = ended(operator, remote, tmp_path / "clone")
    file, folder = tmp_path / "run.tar.gz", tmp_path / "unpacked"
    operator.types("tasks", "bundle", task, "--output", str(file))
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    (folder / "patch.diff").write_text(FIX)
    with tarfile.open(file, "w:gz") as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    typed = operator.types("bundle", "replay", str(file))
    assert (typed.code, "not as it was written" in typed.err) == (1, True)


@pytest.mark.parametrize("receipts", ['{"data": 1}', "[" * 100_000], ids=["shape", "depth"])
def test_receipts_that_nobody_wrote_are_refused_before_anything_is_run(
    operator: Operator, remote: Bare, tmp_path: Path, receipts: str
) -> None:
    task = ended(operator, remote, tmp_path / "clone")
    file = tmp_path / "run.tar.gz"
    operator.types("tasks", "bundle", task, "--output", str(file))
    bundle = read(file)
    write(file, bundle.manifest, {**bundle.files, "receipts.json": receipts.encode()})
    typed = operator.types("bundle", "replay", str(file), "--repo", "/nowhere")
    assert (typed.code, "receipts of the bundle cannot be read" in typed.err) == (1, True)
