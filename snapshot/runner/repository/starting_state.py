"""The state an agent begins from: its checkout, and an index of that checkout's very bytes.

git's own view of a directory is one after conversions: a file whose line ends the repository's
attributes would change counts as modified although nobody touched it. This index holds the bytes
as they lay on the disk, so that later only what was touched differs.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import borrowed
from .git import Git
from .remote import Clone

RAW_ATTRIBUTES: Final = "* -text -ident !working-tree-encoding !diff !filter\n"
"""No conversion: what lies in the directory is what is compared."""
CHECKOUT_SECONDS: Final = 600.0
STARTING_INDEX: Final = "starting-index"
_CONVERTING: Final = ("eol", "ident", "working-tree-encoding")
"""Attributes by which git writes other bytes than it keeps. `text` alone changes none on Linux,
and a filter has no program: our git reads no configuration that would name one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StartingState:
    """One repository under the agent's hands: the task's own, or a submodule of it."""

    objects: Path
    base_sha: str
    index: Path
    work_tree: Path
    path: str = ""
    """Where it lies in the task's repository; empty for that one itself."""


def begin(git: Git, clone: Clone, work_tree: Path, *, path: str = "") -> StartingState:
    """Make the agent's checkout from our clone, without the network, and record it."""
    copy_repository(clone, work_tree)
    ours = git.at(clone.directory, work_tree=work_tree, index=STARTING_INDEX)
    ours("read-tree", "--reset", "-u", clone.base_sha, seconds=CHECKOUT_SECONDS)
    index = clone.directory / ".git" / STARTING_INDEX
    shutil.copyfile(index, work_tree / ".git" / "index")
    _record_bytes(ours, clone.directory)
    return StartingState(
        objects=clone.objects,
        base_sha=clone.base_sha,
        index=index,
        work_tree=work_tree,
        path=path,
    )


def copy_repository(clone: Clone, work_tree: Path) -> None:
    """Give a directory a repository of its own, all objects of the clone in it."""
    theirs = work_tree / ".git"
    ignored = shutil.ignore_patterns(f"{STARTING_INDEX}*")
    shutil.copytree(clone.directory / ".git", theirs, symlinks=True, ignore=ignored)


def _record_bytes(git: Git, directory: Path) -> None:
    """Put the names of the bytes on the disk in place of those git keeps, where they differ."""
    if not git("ls-files", "-z", "--", ":(glob)**/.gitattributes"):
        return
    converted = _converted(git)
    if not converted:
        return
    borrowed.write_attributes(directory, RAW_ATTRIBUTES)
    git("update-index", "-z", "--force-remove", "--stdin", stdin=converted)
    git("update-index", "--info-only", "--add", "-z", "--stdin", stdin=converted)
    borrowed.write_attributes(directory, "")


def _converted(git: Git) -> bytes:
    """The files that git has written with other bytes than it keeps."""
    files = _files(git("ls-files", "--stage", "-z"))
    said = git("check-attr", "-z", "--stdin", *_CONVERTING, stdin=files).split(b"\0")
    converts = {
        path
        for path, name, value in zip(said[::3], said[1::3], said[2::3], strict=False)
        if _is_converting(name, value)
    }
    return b"".join(path + b"\0" for path in sorted(converts))


def _files(staged: bytes) -> bytes:
    entries = (entry.split(b"\t", 1) for entry in staged.split(b"\0") if entry)
    return b"".join(path + b"\0" for header, path in entries if header.startswith(b"100"))


def _is_converting(name: bytes, value: bytes) -> bool:
    if name == b"eol":
        return value == b"crlf"
    return value not in {b"unspecified", b"unset"}
