"""The agent's own git directory, read as data: its index and its references.

Nothing in it is run, and no git works on it: the index is copied, references are small files, and
its objects are only borrowed by a git directory of ours.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from .. import files
from ..failure import Failure
from . import references, worktrees
from .git import Git, init_borrowing
from .plumbing import GITLINK, nul_list
from .references import Reference
from .starting_state import StartingState
from .worktrees import Worktree

LARGEST_INDEX_BYTES: Final = 256 * 1024**2
MOST_SHARED: Final = 10
"""Parts of a split index (git-update-index(1)); git removes old ones."""
LOOK_SECONDS: Final = 10.0


class _Entry(NamedTuple):
    """Of the index."""

    tag: bytes
    mode: bytes
    sha: bytes
    path: bytes


class AgentsGit(msgspec.Struct, frozen=True, kw_only=True):
    """All empty where the agent's git directory is gone or unreadable."""

    paths: frozenset[bytes] = frozenset()
    """Of its index."""
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
        paths=frozenset(entry.path for entry in entries),
        submodules={entry.path: entry.sha for entry in entries if entry.mode == GITLINK},
        skipped=frozenset(entry.path for entry in entries if entry.tag == b"S"),
        is_sparse=not entries and files.read(theirs / "info" / "sparse-checkout") is not None,
        references=tuple(known.values()),
        head=references.head(theirs, known),
        worktrees=tuple(worktrees.read(theirs, known)),
    )


def _index(git: Git, workdir: Path, start: StartingState, theirs: Path) -> list[_Entry]:
    content = files.read(theirs / "index", most=LARGEST_INDEX_BYTES)
    if content is None:
        return []
    init_borrowing(workdir, start.base_sha, objects=[start.objects])
    (workdir / ".git" / "index").write_bytes(content)
    for shared in islice(theirs.glob("sharedindex.*"), MOST_SHARED):
        files.copy(shared, workdir / ".git" / shared.name, most=LARGEST_INDEX_BYTES)
    try:
        listed = git.at(workdir)("ls-files", "-t", "--stage", "-z", seconds=LOOK_SECONDS)
    except Failure:
        return []
    return [_entry(line) for line in nul_list(listed)]


def _entry(line: bytes) -> _Entry:
    header, _, path = line.partition(b"\t")
    tag, mode, sha, _ = header.split(b" ")
    return _Entry(tag, mode, sha, path)
