"""Work of the agent in other directories than its checkout: linked worktrees, and clones."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from . import agents_git, unpatched
from .git import Git, GitFailed, init_borrowing
from .starting_state import StartingState
from .unpatched import Unpatched
from .worktrees import Worktree

MissingPaths = Callable[[StartingState, Path], list[bytes] | None]
"""The changes of a directory that the patch lacks, found in a new work directory; None if they
cannot be read."""


class OtherDirectories:
    def __init__(
        self, git: Git, workdir: Path, start: StartingState, missing: MissingPaths
    ) -> None:
        self._git = git
        self._workdir = workdir
        self._start = start
        self._missing = missing

    def in_worktrees(self, worktrees: Iterable[Worktree]) -> Iterator[Unpatched]:
        """The uncommitted work: a branch or a detached HEAD holds the rest."""
        for number, worktree in enumerate(worktrees):
            place = f"worktree {self._shown(worktree.path)}"
            workdir = self._workdir.with_name(f"tree-{number}")
            yield from self._uncommitted(place, worktree, self._start, workdir)

    def in_clones(
        self, clones: Iterable[Path], patched: Mapping[bytes, bytes]
    ) -> Iterator[Unpatched]:
        """The work of clones, uncommitted or on references of their own; `patched` has path → blob.

        A repository without the commit that the work began from is another one.
        """
        for number, clone in enumerate(clones):
            place = f"clone {self._shown(clone)}"
            workdir = self._workdir.with_name(f"clone-{number}")
            start = msgspec.structs.replace(self._start, work_tree=clone)
            if time.monotonic() > self._git.ends_at:
                yield Unpatched(place, ())
            elif self._has_base(start, workdir / "own"):
                agents = agents_git.read(self._git, workdir / "agents", start)
                # Nothing of it is in the patch: its HEAD is one reference more.
                references = msgspec.structs.replace(agents, head=None)
                kept = (self._git, workdir / "unpatched", start, references, patched)
                for one in unpatched.find(*kept):
                    yield one._replace(place=f"{one.place} of {place}")
                worktree = Worktree(clone, agents.head)
                yield from self._uncommitted(place, worktree, start, workdir / "tree")

    def _has_base(self, start: StartingState, workdir: Path) -> bool:
        init_borrowing(workdir, start.base_sha, objects=[start.agents_git / "objects"])
        try:
            self._git.at(workdir)("cat-file", "-e", start.base_sha)
        except GitFailed:
            return False
        return True

    def _uncommitted(
        self, place: str, worktree: Worktree, start: StartingState, workdir: Path
    ) -> Iterator[Unpatched]:
        missing: list[bytes] | None = None
        if time.monotonic() <= self._git.ends_at:
            base_sha, clone = worktree.head or start.base_sha, workdir / "clone"
            init_borrowing(clone, base_sha, objects=start.all_objects)
            of_it = StartingState(clone=clone, base_sha=base_sha, work_tree=worktree.path)
            missing = self._missing(of_it, workdir)
        if missing is None or missing:
            yield Unpatched(place, missing or ())

    def _shown(self, directory: Path) -> str:
        return os.path.relpath(directory, self._start.work_tree)
