"""The agent's own git directory, read as data: its index and its references.

Nothing in it is run, and no git works on it: the index is copied, references are small files, and
its objects are only borrowed by a git directory of ours.
"""

from pathlib import Path
from typing import Final

import msgspec

from .. import files
from ..failure import Failure
from . import references, worktrees
from .git import Git, init_borrowing
from .plumbing import nul_list
from .references import Reference
from .starting_state import StartingState
from .worktrees import Worktree

LARGEST_INDEX_BYTES: Final = 256 * 1024**2
LOOK_SECONDS: Final = 10.0


class AgentsGit(msgspec.Struct, frozen=True, kw_only=True):
    """All empty where the agent's git directory is gone or unreadable."""

    paths: frozenset[bytes] = frozenset()
    """Of its index."""
    skipped: frozenset[bytes] = frozenset()
    """Kept off the disk by a sparse checkout, or by `--skip-worktree`."""
    is_sparse: bool = False
    """It is sparse, and its index cannot be read: `skipped` is unknown."""
    references: tuple[Reference, ...] = ()
    head: str | None = None
    """The commit that is checked out."""
    worktrees: tuple[Worktree, ...] = ()


def read(git: Git, workdir: Path, start: StartingState) -> AgentsGit:
    """Read the checkout's `.git`; an error in it only gives less information."""
    theirs = start.work_tree / ".git"
    if not files.is_directory(theirs):
        return AgentsGit()
    tags = _index(git, workdir, start, theirs)
    known = references.read(theirs)
    return AgentsGit(
        paths=frozenset(path for _, path in tags),
        skipped=frozenset(path for tag, path in tags if tag == b"S"),
        is_sparse=not tags and files.read(theirs / "info" / "sparse-checkout") is not None,
        references=tuple(known.values()),
        head=references.head(theirs, known),
        worktrees=tuple(worktrees.read(theirs, known)),
    )


def _index(
    git: Git, workdir: Path, start: StartingState, theirs: Path
) -> list[tuple[bytes, bytes]]:
    """Tag and path of each entry."""
    content = files.read(theirs / "index", most=LARGEST_INDEX_BYTES)
    if content is None:
        return []
    init_borrowing(workdir, start.base_sha, objects=[start.objects])
    (workdir / ".git" / "index").write_bytes(content)
    try:
        listed = git.at(workdir)("ls-files", "-t", "-z", seconds=LOOK_SECONDS)
    except Failure:
        return []
    return [(entry[:1], entry[2:]) for entry in nul_list(listed)]
