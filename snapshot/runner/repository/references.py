"""The references of the agent's git directory, read as data: all that holds commits of its work."""

import os
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from .. import files

LARGEST_LIST_BYTES: Final = 4 * 1024**2
LARGEST_NAME_BYTES: Final = 5_000
MOST_FILES: Final = 20_000
SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
SHOWN_CHARACTERS: Final = 7
_LEFT: Final = re.compile(r"\tcheckout: moving from ([0-9a-f]{40}(?:[0-9a-f]{24})?) to ")
"""In the log of a HEAD: a checkout that left a detached commit, of which it has the full id."""
_FETCHED: Final = re.compile(
    r"[0-9a-f]{40,64} ([0-9a-f]{40}(?:[0-9a-f]{24})?) [^\t]*\t(?!.* \.{0,2}/)"
    r"(?:fetch\b|pull\b.*(?:: Fast-forward|\(start\))|branch: Created from FETCH_HEAD)"
)
"""In the log of a HEAD or a branch: a commit that came from another host."""
_FETCH_HEAD: Final = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?)\t.* of (?![./])")


class ReferenceKind(Enum):
    """The value is the word for it in a sentence."""

    BRANCH = "branch"
    REMOTE = "remote branch"
    TAG = "tag"
    STASH = "stash"
    DETACHED = "detached commit"
    OTHER = "reference"


class Reference(NamedTuple):
    kind: ReferenceKind
    name: str
    revision: str
    """It may be missing, or be no commit."""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


_FOLDERS: Final = {
    "refs/heads/": ReferenceKind.BRANCH,
    "refs/remotes/": ReferenceKind.REMOTE,
    "refs/tags/": ReferenceKind.TAG,
    "refs/prefetch/": ReferenceKind.REMOTE,
    # Of others, if they are fetched under the names that they have on the server.
    "refs/pull/": ReferenceKind.REMOTE,
    "refs/merge-requests/": ReferenceKind.REMOTE,
}
_STASH: Final = "refs/stash"


def read(theirs: Path) -> dict[str, Reference]:
    """Name in a sentence → reference, of the agent's git directory."""
    return {str(one): one for one in _read(theirs)}


def head(theirs: Path, references: Mapping[str, Reference]) -> str | None:
    """The commit that is checked out."""
    content = files.read(theirs / "HEAD", most=LARGEST_NAME_BYTES) or b""
    name = os.fsdecode(content).strip().removeprefix("ref: refs/heads/")
    branch = references.get(f"{ReferenceKind.BRANCH.value} {name}")
    return branch.revision if branch else _sha(content)


def worktree_folders(theirs: Path) -> list[Path]:
    """The folders in which git keeps what it knows of linked worktrees."""
    try:
        entries = sorted((theirs / "worktrees").iterdir())
    except OSError:
        return []
    return [entry for entry in entries if files.is_directory(entry)]


def _read(theirs: Path) -> Iterator[Reference]:
    for line in _lines(theirs / "packed-refs"):
        revision, _, name = line.partition(" ")
        if SHA.fullmatch(revision):
            yield _reference(name, revision)
    yield from _loose(theirs)
    for number, line in enumerate(reversed(_lines(theirs / "logs" / "refs" / "stash"))):
        kept = line.partition(" ")[2].partition(" ")[0]
        if SHA.fullmatch(kept):
            yield Reference(ReferenceKind.STASH, f"{number}", kept)
            yield Reference(ReferenceKind.STASH, f"{number}, new files", f"{kept}^3")
    for one in (theirs, *worktree_folders(theirs)):
        yield from _detached(one)
    for revision in _fetched(theirs):
        yield Reference(ReferenceKind.REMOTE, revision, revision)


def _loose(theirs: Path) -> Iterator[Reference]:
    folder = theirs / "refs"
    found = files.walk(folder) if files.is_directory(folder) else iter(())
    for entry in sorted(islice(found, MOST_FILES), key=lambda entry: entry.path):
        path = Path(entry.path)
        if revision := _sha(files.read(path, most=100)):
            yield _reference(str(path.relative_to(theirs)), revision)


def _reference(name: str, revision: str) -> Reference:
    if name == _STASH:
        return Reference(ReferenceKind.STASH, "0", revision)
    for folder, kind in _FOLDERS.items():
        if name.startswith(folder):
            return Reference(kind, name.removeprefix(folder), revision)
    return Reference(ReferenceKind.OTHER, name, revision)


def _detached(theirs: Path) -> Iterator[Reference]:
    """The detached commit of this HEAD, and those that it left."""
    left = [found[1] for line in _lines(theirs / "logs" / "HEAD") if (found := _LEFT.search(line))]
    now = _sha(files.read(theirs / "HEAD", most=LARGEST_NAME_BYTES))
    for revision in (*left, *([now] if now else [])):
        yield Reference(ReferenceKind.DETACHED, revision[:SHOWN_CHARACTERS], revision)


def _fetched(theirs: Path) -> Iterator[str]:
    """The commits that git noted as fetched, also where no remote branch has them."""
    yield from (
        found[1] for line in _lines(theirs / "FETCH_HEAD") if (found := _FETCH_HEAD.match(line))
    )
    branches = theirs / "logs" / "refs" / "heads"
    logs = files.walk(branches) if files.is_directory(branches) else iter(())
    for log in (theirs / "logs" / "HEAD", *(Path(each.path) for each in islice(logs, MOST_FILES))):
        yield from (found[1] for line in _lines(log) if (found := _FETCHED.match(line)))


def _lines(file: Path) -> list[str]:
    content = files.read(file, most=LARGEST_LIST_BYTES) or b""
    return content.decode(errors="surrogateescape").splitlines()


def _sha(content: bytes | None) -> str | None:
    text = (content or b"").decode(errors="replace").strip()
    return text if SHA.fullmatch(text) else None
