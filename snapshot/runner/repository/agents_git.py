"""The agent's own git directory, read as data: its index and its references.

Nothing in it is run, and no git works on it: the index is copied, references are small files, and
its objects are only borrowed by a git directory of ours.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .. import files
from ..failure import Failure
from . import borrowed
from .git import Git
from .starting_state import StartingState

LARGEST_INDEX_BYTES: Final = 256 * 1024**2
LARGEST_LIST_BYTES: Final = 4 * 1024**2
REFERENCES: Final = 30
LOOK_SECONDS: Final = 10.0
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentsGit:
    """All empty where the agent's git directory is gone or unreadable."""

    paths: frozenset[bytes] = frozenset()
    """Its index."""
    skipped: frozenset[bytes] = frozenset()
    """What a sparse checkout, or `--skip-worktree`, keeps off the disk."""
    is_sparse: bool = False
    """It is sparse, and its index cannot be read: nobody knows what is kept off the disk."""
    work: dict[str, str] = field(default_factory=dict)
    """Name → commit of its branches and stashes."""


def read(git: Git, workdir: Path, start: StartingState) -> AgentsGit:
    """Look into the checkout's `.git`; whatever is wrong with it only tells less."""
    theirs = start.work_tree / ".git"
    if not files.is_directory(theirs):
        return AgentsGit()
    tags = _index(git, workdir, start, theirs)
    try:
        work = dict(list(_work(theirs))[:REFERENCES])
        is_sparse = not tags and (theirs / "info" / "sparse-checkout").exists()
    except OSError:
        work, is_sparse = {}, False
    return AgentsGit(
        paths=frozenset(path for _, path in tags),
        skipped=frozenset(path for tag, path in tags if tag == b"S"),
        is_sparse=is_sparse,
        work=work,
    )


def left_behind(
    git: Git, workdir: Path, start: StartingState, facts: AgentsGit, taken: dict[bytes, bytes]
) -> Iterator[tuple[str, list[bytes]]]:
    """The work that lies on a branch or in a stash and not in the directory: where, and the paths.

    `taken` has path → blob of what the patch changes.
    """
    objects = [start.objects, start.work_tree / ".git" / "objects"]
    borrowed.make(workdir, start.base_sha, objects=objects)
    ends_at = time.monotonic() + LOOK_SECONDS
    for name, commit in facts.work.items():
        if time.monotonic() > ends_at:
            return
        changed = _changed(git.at(workdir), start.base_sha, commit)
        missing = [path for path, blob in changed.items() if taken.get(path) != blob]
        if missing:
            yield name, missing


def _changed(git: Git, base_sha: str, commit: str) -> dict[bytes, bytes]:
    """Path → blob of what a commit of the agent writes; empty if it was there before."""
    if commit == base_sha:
        return {}
    try:
        # Exit code 0, an ancestor of the base, is none of the agent's work: it counts as a failure.
        git("merge-base", "--is-ancestor", commit, base_sha, allowed=(1,), seconds=LOOK_SECONDS)
        diff = ("diff-tree", "-r", "--raw", "--no-renames", "-z", "--full-index")
        raw = git(*diff, base_sha, commit, seconds=LOOK_SECONDS)
    except Failure:
        return {}
    fields = raw.split(b"\0")
    blobs = {
        path: header.split(b" ")[3] for header, path in zip(fields[::2], fields[1::2], strict=False)
    }
    return {path: blob for path, blob in blobs.items() if blob.strip(b"0")}


def _index(
    git: Git, workdir: Path, start: StartingState, theirs: Path
) -> list[tuple[bytes, bytes]]:
    content = files.read(theirs / "index", most=LARGEST_INDEX_BYTES)
    if content is None:
        return []
    borrowed.make(workdir, start.base_sha, objects=[start.objects])
    (workdir / ".git" / "index").write_bytes(content)
    try:
        listed = git.at(workdir)("ls-files", "-t", "-z", seconds=LOOK_SECONDS)
    except Failure:
        return []
    return [(entry[:1], entry[2:]) for entry in listed.split(b"\0") if entry]


def _work(theirs: Path) -> Iterator[tuple[str, str]]:
    """Branches and stashes by the words they are called by in a sentence."""
    packed = files.read(theirs / "packed-refs", most=LARGEST_LIST_BYTES) or b""
    for line in packed.decode(errors="replace").splitlines():
        sha, _, name = line.partition(" ")
        if _SHA.fullmatch(sha) and name.startswith("refs/heads/"):
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


def _sha(content: bytes | None) -> str | None:
    text = (content or b"").decode(errors="replace").strip()
    return text if _SHA.fullmatch(text) else None
