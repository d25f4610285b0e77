"""A large repository: from clone to patch beside a plain clone, and many files to the push."""

import asyncio
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from snapshot.runner.reporting.kept_patch import KeptPatch
from snapshot.runner.repository import clean_checkout, starting_state
from snapshot.runner.repository.address import parse
from snapshot.runner.repository.git import Git
from snapshot.runner.repository.remote import Clone, Remote
from snapshot.runner.repository.work_on_disk import AgentsWork
from snapshot.runner.stop import Stop
from tests.benchmarks.report import Figure, Section
from tests.snapshot.repositories import Bare, git

LINES = 60
PER_FOLDER = 40


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    files: int = 20_000
    changed: int = 5_000
    rounds: int = 3


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each round."""

    plain: tuple[float, ...]
    to_patch: tuple[float, ...]
    to_push: tuple[float, ...]


async def section(size: Size) -> Section:
    """Makes the repository, and does both in turn."""
    measured = await asyncio.to_thread(_measure, size)
    plain, to_patch = statistics.median(measured.plain), statistics.median(measured.to_patch)
    return Section(
        name=f"a repository of {size.files:,} files",
        note=f"file:// on this disk; {LINES} lines a file; medians of {size.rounds} rounds.",
        results=(
            Figure(name="a plain git clone", value=plain, unit="s"),
            Figure(name="from clone to patch", value=to_patch, unit="s"),
            Figure(name="of a plain clone", value=to_patch / plain, unit="×", most=1.3),
            Figure(
                name=f"{size.changed:,} changed files, from patch to push",
                value=statistics.median(measured.to_push),
                unit="s",
                most=10,
            ),
        ),
        measured=measured,
    )


def _measure(size: Size) -> Measured:
    with tempfile.TemporaryDirectory(prefix="slipgate-bench-") as place:
        root = Path(place)
        remote = _remote(root / "remote", size.files)
        rounds = [_round(remote, root / str(number), size) for number in range(size.rounds)]
    plain, to_patch, to_push = zip(*rounds, strict=True)
    return Measured(plain=plain, to_patch=to_patch, to_push=to_push)


def _remote(root: Path, files: int) -> Bare:
    """In one pack, as a server keeps it; its collection of garbage would run beside the rounds."""
    remote = Bare.made(root, _files(files))
    git("repack", "-a", "-d", "-q", at=remote.path)
    git("config", "gc.auto", "0", at=remote.path)
    return remote


def _files(count: int) -> dict[str, str]:
    lines = random.Random(1)
    return {
        _name(number): "".join(f"value_{line} = {lines.getrandbits(40)}\n" for line in range(LINES))
        for number in range(count)
    }


def _name(number: int) -> str:
    return f"folder{number // PER_FOLDER}/file{number}.py"


def _round(remote: Bare, root: Path, size: Size) -> tuple[float, float, float]:
    """Leaves its files: ext4 makes new ones up to ten times as slowly for half a minute after
    thousands were deleted."""
    root.mkdir()
    there = ("git", "clone", "-q", remote.url, str(root / "plain"))
    plain = _timed(lambda: subprocess.run(there, check=True))
    worker = _Worker(remote, root)
    to_patch = _timed(worker.clone_to_patch)
    worker.change(size.changed)
    to_push = _timed(worker.patch_to_push)
    return plain, to_patch, to_push


class _Worker:
    """The steps of an attempt that are git's."""

    def __init__(self, remote: Bare, root: Path) -> None:
        self._root = root
        environ = {"PATH": os.environ["PATH"]}
        self._git = Git(stop=Stop(), environ=environ, protocol="file")
        self._remote = Remote(self._git, parse(remote.url), "main")
        self._clone: Clone | None = None
        self._work: AgentsWork | None = None

    def clone_to_patch(self) -> None:
        """As if the agent had changed one file at once."""
        self._clone = self._remote.clone(self._root / "origin" / "main")
        state = starting_state.begin(self._git, self._clone, self._root / "agent" / "checkout")
        self._work = AgentsWork(states=(state,))
        self.change(1)
        made = self._work.patch(self._git, self._root / "first", is_secret=_no_secret)
        assert made.main.text, "it was changed"

    def change(self, count: int) -> None:
        """Add a line to so many files."""
        for number in range(count):
            with (self._root / "agent" / "checkout" / _name(number)).open("a") as file:
                file.write("more = 1\n")

    def patch_to_push(self) -> None:
        """All that comes after the agent, but for validation."""
        assert self._work is not None, "it was made"
        assert self._clone is not None, "it was made"
        made = self._work.patch(self._git, self._root / "second", is_secret=_no_secret)
        kept = KeptPatch(text=made.text, base_sha=self._clone.base_sha)
        assert list(kept.pieces()), "it is told"
        clean = clean_checkout.apply(self._git, self._clone, made.main, self._root / "clean")
        clean_checkout.fill(self._git, self._clone, clean, self._root / "validated")
        workdir = self._root / "push"
        applied = clean_checkout.apply(self._git, self._clone, made.main, workdir)
        author = ("a", "a@example.com")
        commit = clean_checkout.commit(self._git, applied, message="All\n", author=author)
        branch = f"bench-{self._root.name}"
        self._remote.push(workdir, commit, branch, expected=None)


def _timed(act: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    act()
    return time.perf_counter() - began_at


def _no_secret(_content: bytes) -> bool:
    return False
