"""The state that an agent begins from: its checkout, and an index of that checkout's very bytes.

git compares files after conversions: a file whose line ends the attributes would change counts as
modified although nobody touched it. This index has the bytes on the disk, so that later only
touched files differ.
"""

import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from . import left_files, walk
from .git import Git, write_attributes
from .plumbing import attributes_of, has_file_named, nul_joined, staged_files
from .remote import Clone

RAW_ATTRIBUTES: Final = "* -text -ident !working-tree-encoding !diff !filter\n"
"""No conversion: the bytes of the directory are compared."""
CHECKOUT_SECONDS: Final = 600.0
STARTING_INDEX: Final = "starting-index"
RESTORING_INDEX: Final = "restoring-index"
_POINTER_BYTES: Final = 5_000


class StartingState(msgspec.Struct, frozen=True, kw_only=True):
    """One repository in the agent's checkout: the task's own, or a submodule of it."""

    clone: Path
    """The directory of our clone, which has its objects and the index."""
    base_sha: str
    work_tree: Path
    path: str = ""
    """Within the task's repository; empty for that one itself."""

    @property
    def objects(self) -> Path:
        return self.clone / ".git" / "objects"

    @property
    def agents_git(self) -> Path:
        """The agent's git directory, which it may have moved (gitrepository-layout(5))."""
        git = self.work_tree / ".git"
        pointer = os.fsdecode(files.read(git, most=_POINTER_BYTES) or b"").strip()
        moved = self.work_tree / pointer.removeprefix("gitdir: ") if pointer else git
        return git if {"\n", "\0"} & {*pointer} else Path(os.path.realpath(moved))

    @property
    def all_objects(self) -> tuple[Path, Path]:
        """Ours, and those of the agent's own commits."""
        return (self.objects, self.agents_git / "objects")

    @property
    def index(self) -> Path:
        return self.clone / ".git" / STARTING_INDEX


def begin(git: Git, clone: Clone, work_tree: Path, *, path: str = "") -> StartingState:
    """Make the agent's checkout from our clone, without the network, and record its state."""
    copy_repository(clone, work_tree)
    ours = git.at(clone.directory, work_tree=work_tree, index=STARTING_INDEX)
    ours("read-tree", "--reset", "-u", clone.base_sha, seconds=CHECKOUT_SECONDS)
    base_sha = clone.base_sha
    state = StartingState(clone=clone.directory, base_sha=base_sha, work_tree=work_tree, path=path)
    shutil.copy2(state.index, work_tree / ".git" / "index")  # with its time: see `patch.make`
    if has_file_named(git.at(clone.directory), base_sha, b".gitattributes"):
        _record_bytes(ours, clone.directory)
    return state


def settle(git: Git, state: StartingState) -> None:
    """Restore the tracked files that a set-up changed, and record the other files that it left.

    Only what differs from those is a change of the agent.
    """
    walk.prepare(state.work_tree)
    ours = git.at(state.clone, work_tree=state.work_tree, index=STARTING_INDEX)
    write_attributes(state.clone, RAW_ATTRIBUTES)
    ours("update-index", "-q", "--refresh", allowed=(0, 1))
    changed = ours("diff-files", "--name-only", "--ignore-submodules=all", "-z")
    write_attributes(state.clone, "")
    if changed:
        fresh = git.at(state.clone, work_tree=state.work_tree, index=RESTORING_INDEX)
        fresh("read-tree", state.base_sha)
        fresh("checkout-index", "--force", "-z", "--stdin", stdin=changed, seconds=CHECKOUT_SECONDS)
    left_files.record(ours, state.clone, state.work_tree)


def copy_repository(clone: Clone, work_tree: Path) -> None:
    """Give a directory a repository of its own, with all objects of the clone."""
    ignored = shutil.ignore_patterns(f"{STARTING_INDEX}*", f"{RESTORING_INDEX}*", left_files.RECORD)
    shutil.copytree(clone.directory / ".git", work_tree / ".git", symlinks=True, ignore=ignored)


def _record_bytes(git: Git, directory: Path) -> None:
    """Replace the index entries of converted files by those of the bytes on the disk."""
    converted = nul_joined(sorted(_converted(git)))
    if not converted:
        return
    write_attributes(directory, RAW_ATTRIBUTES)
    git("update-index", "-z", "--force-remove", "--stdin", stdin=converted)
    git("update-index", "--info-only", "--add", "-z", "--stdin", stdin=converted)
    write_attributes(directory, "")


def _converted(git: Git) -> set[bytes]:
    """The files that git has written with other bytes than it keeps.

    `text` alone changes none on Linux, and a filter has no program: git reads no configuration
    here that would name one.
    """
    paths = [file.path for file in staged_files(git) if file.mode.startswith(b"100")]
    found = attributes_of(git, ("eol", "ident", "working-tree-encoding"), paths)
    return {
        path
        for path, values in found.items()
        if values.get(b"eol") == b"crlf" or values.keys() & {b"ident", b"working-tree-encoding"}
    }
