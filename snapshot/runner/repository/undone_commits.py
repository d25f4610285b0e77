"""Commits of the base branch that a patch takes back: by a revert, or by a reset of its HEAD."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from ..failure import Failure
from .agents_git import LOOK_SECONDS, AgentsGit
from .git import Git, init_borrowing
from .plumbing import NO_MODE, Change, changes_between, raw_changes
from .starting_state import StartingState

RECENT: Final = 20
"""Commits of the base branch that are compared with the patch."""
SHA_CHARACTERS: Final = 7
_COMMIT: Final = b"\x01"


def find(
    git: Git, workdir: Path, start: StartingState, agents: AgentsGit, patched: Sequence[Change]
) -> list[str]:
    """Short id and subject of each, newest first; empty where git cannot tell."""
    if not patched:
        return []
    blobs = {change.path: change.blob for change in patched}
    try:
        if reset := _reset(git, workdir / "head", start, agents.head, blobs):
            return reset
        init_borrowing(workdir / "base", start.base_sha, objects=[start.objects])
        recent = _recent(git.at(workdir / "base"), start.base_sha)
        return [name for name, raw in recent if _is_back(raw, blobs)]
    except Failure:
        return []


def _reset(
    plain: Git, workdir: Path, start: StartingState, head: str | None, blobs: Mapping[bytes, bytes]
) -> list[str]:
    """The commits that a HEAD without the base has left, if a file is as it was before them."""
    base_sha = start.base_sha
    if head is None or head == base_sha:
        return []
    init_borrowing(workdir, base_sha, objects=start.all_objects)
    git = plain.at(workdir)
    merged = git("merge-base", base_sha, head, allowed=(0, 1), seconds=LOOK_SECONDS)
    before = merged.decode().strip()
    if before in {"", base_sha}:
        return []
    changes = changes_between(git, before, base_sha, seconds=LOOK_SECONDS)
    if not any(blobs.get(change.path) == change.old_blob for change in changes):
        return []
    left = ("log", "-n", str(RECENT), "--format=%H %s", "--end-of-options", f"{before}..{base_sha}")
    log = git(*left, "--", seconds=LOOK_SECONDS)
    return [shown(line) for line in log.splitlines()]


def _recent(git: Git, base_sha: str) -> Iterator[tuple[str, bytes]]:
    """The changes of each commit as git's raw lines."""
    options = ("-n", str(RECENT), "--no-merges", "--raw", "--no-renames", "--no-abbrev", "-z")
    log = git("log", *options, "--format=%x01%H %s", base_sha, "--", seconds=LOOK_SECONDS)
    for entry in log.split(_COMMIT)[1:]:
        name, _, raw = entry.partition(b"\0")
        if raw := raw.lstrip(b"\n\0"):
            yield shown(name), raw


def shown(line: bytes) -> str:
    sha, _, subject = line.decode(errors="replace").partition(" ")
    return f"{sha[:SHA_CHARACTERS]} {subject}"


def _is_back(raw: bytes, blobs: Mapping[bytes, bytes]) -> bool:
    """True if the patch puts back all that the commit changed, or a file that was there before."""
    changed = raw_changes(raw, among=blobs)
    back = [change for change in changed if blobs[change.path] == change.old_blob]
    is_all = len(back) == raw.count(b"\0") // 2
    return is_all or any(change.old_mode != NO_MODE for change in back)
