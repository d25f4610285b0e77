"""The agent's own git directory, read as data: its index and its references.

Nothing in it is run, and no git works on it: the index is copied, references are small files, and
its objects are only borrowed by a git directory of ours.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from ..failure import Failure
from .git import Git, init_borrowing
from .plumbing import nul_list, raw_changes
from .starting_state import StartingState

LARGEST_INDEX_BYTES: Final = 256 * 1024**2
LARGEST_LIST_BYTES: Final = 4 * 1024**2
LARGEST_NAME_BYTES: Final = 1_000
REFERENCES: Final = 30
LOOK_SECONDS: Final = 10.0
SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class AgentsGit(msgspec.Struct, frozen=True, kw_only=True):
    """All empty where the agent's git directory is gone or unreadable."""

    paths: frozenset[bytes] = frozenset()
    """Of its index."""
    skipped: frozenset[bytes] = frozenset()
    """Kept off the disk by a sparse checkout, or by `--skip-worktree`."""
    is_sparse: bool = False
    """It is sparse, and its index cannot be read: `skipped` is unknown."""
    commits: dict[str, str] = {}
    """Name → commit of its branches and stashes."""
    head: str | None = None
    """The commit that is checked out."""


def read(git: Git, workdir: Path, start: StartingState) -> AgentsGit:
    """Read the checkout's `.git`; an error in it only gives less information."""
    theirs = start.work_tree / ".git"
    if not files.is_directory(theirs):
        return AgentsGit()
    tags = _index(git, workdir, start, theirs)
    try:
        commits = dict(list(_commits(theirs))[:REFERENCES])
        head = _head(theirs, commits)
        is_sparse = not tags and (theirs / "info" / "sparse-checkout").exists()
    except (OSError, RecursionError):
        commits, head, is_sparse = {}, None, False
    return AgentsGit(
        paths=frozenset(path for _, path in tags),
        skipped=frozenset(path for tag, path in tags if tag == b"S"),
        is_sparse=is_sparse,
        commits=commits,
        head=head,
    )


def unpatched(
    git: Git, workdir: Path, start: StartingState, found: AgentsGit, patched: dict[bytes, bytes]
) -> Iterator[tuple[str, list[bytes]]]:
    """Each branch or stash with the paths of its work that is not in the patch.

    `patched` has path → blob of the patch.
    """
    objects = [start.objects, start.work_tree / ".git" / "objects"]
    init_borrowing(workdir, start.base_sha, objects=objects)
    ends_at = time.monotonic() + LOOK_SECONDS
    for name, commit in found.commits.items():
        if time.monotonic() > ends_at:
            return
        changed = _changed(git.at(workdir), start.base_sha, commit)
        missing = [path for path, blob in changed.items() if patched.get(path) != blob]
        if missing:
            yield name, missing


def _changed(git: Git, base_sha: str, commit: str) -> dict[bytes, bytes]:
    """Path → blob that a commit of the agent writes; empty for a commit of the base."""
    if commit == base_sha:
        return {}
    try:
        # Exit code 0 means an ancestor of the base, which is no work of the agent's.
        git("merge-base", "--is-ancestor", commit, base_sha, allowed=(1,), seconds=LOOK_SECONDS)
        diff = ("diff-tree", "-r", "--raw", "--no-renames", "-z", "--full-index")
        changes = raw_changes(git(*diff, base_sha, commit, seconds=LOOK_SECONDS))
    except Failure:
        return {}
    return {change.path: change.blob for change in changes if change.is_written}


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


def _commits(theirs: Path) -> Iterator[tuple[str, str]]:
    """Branches and stashes, by their names in a sentence."""
    packed = files.read(theirs / "packed-refs", most=LARGEST_LIST_BYTES) or b""
    for line in packed.decode(errors="replace").splitlines():
        sha, _, name = line.partition(" ")
        if SHA.fullmatch(sha) and name.startswith("refs/heads/"):
            yield f"the branch {name.removeprefix('refs/heads/')}", sha
    heads = theirs / "refs" / "heads"
    for file in sorted(heads.rglob("*"))[:REFERENCES] if files.is_directory(heads) else ():
        if tip := _sha(files.read(file, most=100)):
            yield f"the branch {file.relative_to(heads)}", tip
    stashes = files.read(theirs / "logs" / "refs" / "stash", most=LARGEST_LIST_BYTES) or b""
    for number, line in enumerate(reversed(stashes.decode(errors="replace").splitlines())):
        if kept := _sha(line.partition(" ")[2].partition(" ")[0].encode()):
            yield f"stash {number}", kept
            yield f"stash {number}, new files", f"{kept}^3"


def _head(theirs: Path, commits: dict[str, str]) -> str | None:
    content = files.read(theirs / "HEAD", most=LARGEST_NAME_BYTES) or b""
    name = content.decode(errors="replace").strip().removeprefix("ref: refs/heads/")
    return commits.get(f"the branch {name}") or _sha(content)


def _sha(content: bytes | None) -> str | None:
    text = (content or b"").decode(errors="replace").strip()
    return text if SHA.fullmatch(text) else None
