"""The agent's own git directory, read as data: its index and its references.

Nothing in it is run, and no git works on it: the index is copied, references are small files, and
its objects are only borrowed by a git directory of ours.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from ..failure import Failure
from . import references, worktrees
from .git import Git, init_borrowing
from .plumbing import GITLINK, IndexEntry, index_entries
from .references import Reference
from .starting_state import StartingState
from .worktrees import Worktree

LARGEST_INDEX_BYTES: Final = 256 * 1024**2
MOST_SHARED: Final = 10
"""Parts of a split index (git-update-index(1)); git removes old ones."""
LOOK_SECONDS: Final = 10.0


class AgentsGit(msgspec.Struct, frozen=True, kw_only=True):
    """All empty where the agent's git directory is gone or unreadable."""

    entries: tuple[IndexEntry, ...] = ()
    """Of its index, each with a tag."""
    paths: frozenset[bytes] = frozenset()
    submodules: Mapping[bytes, bytes] = {}
    """Path → commit, of its index."""
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
    theirs = start.agents_git
    if not files.is_directory(theirs):
        return AgentsGit()
    entries = _index(git, workdir, start, theirs)
    known = references.read(theirs)
    return AgentsGit(
        entries=tuple(entries),
        paths=frozenset(path for _, path in entries),
        submodules={
            path: header.split(b" ")[2]
            for header, path in entries
            if header[2:].startswith(GITLINK)
        },
        skipped=frozenset(path for header, path in entries if header.startswith(b"S")),
        is_sparse=not entries and files.read(theirs / "info" / "sparse-checkout") is not None,
        references=tuple(known.values()),
        head=references.head(theirs, known),
        worktrees=tuple(worktrees.read(theirs, known)),
    )


def _index(git: Git, workdir: Path, start: StartingState, theirs: Path) -> list[IndexEntry]:
    content = files.read(theirs / "index", most=LARGEST_INDEX_BYTES)
    if content is None:
        return []
    init_borrowing(workdir, start.base_sha, objects=[start.objects])
    (workdir / ".git" / "index").write_bytes(content)
    for shared in islice(theirs.glob("sharedindex.*"), MOST_SHARED):
        files.copy(shared, workdir / ".git" / shared.name, most=LARGEST_INDEX_BYTES)
    try:
        return list(index_entries(git.at(workdir), "-t", seconds=LOOK_SECONDS))
    except Failure:
        return []
