"""Makes the patch: what the agent changed, read as data by a git that the agent never touched."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from .git import Git
from .remote import Clone
from .repository import Refused

LARGEST_CHANGE_BYTES: Final = 64 * 1024**2
LARGEST_PATCH_BYTES: Final = 20 * 1024**2
"""The gateway keeps no more of a patch."""
_DIFF: Final = (
    "-p",
    "--binary",
    "--full-index",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
_INDEX: Final = "agent-index"
_ATTRIBUTES: Final = "* !diff !filter\n"
"""Outranks every .gitattributes: none may hide a change as binary or name a filter."""
_BINARY_ATTRIBUTES: Final = "* -diff !filter\n"
_GITLINK: Final = "160000"
_SYMLINK: Final = "120000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """A patch against `base_sha`; applied there it gives exactly `tree`."""

    base_sha: str
    text: str
    tree: str
    paths: tuple[str, ...]

    @property
    def added(self) -> str:
        """The lines it adds."""
        return "\n".join(line for line in self.text.splitlines() if line.startswith("+"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    old_mode: str
    new_mode: str
    blob: str
    path: str


def make(git: Git, clean: Clone, work_tree: Path, base_sha: str) -> Patch | None:
    """Compare the agent's directory with the base, using the clean clone's git directory.

    Nothing of the agent's own .git is read: neither configuration, hooks, filters, attributes nor
    index. Nothing of a nested repository is run.

    Returns None if nothing changed.

    Raises:
        Refused: `patch_refused`, with the rule.
    """
    _check_work_tree(work_tree)
    ours = git.at(clean.directory, work_tree=work_tree, index=_INDEX)
    _write_attributes(clean, _ATTRIBUTES)
    ours("read-tree", base_sha)
    ours("update-index", "-q", "--refresh", allowed=(0, 1))
    _take(ours, work_tree)
    tree = ours.text("write-tree")
    if tree == ours.text("rev-parse", "--verify", f"{base_sha}^{{tree}}"):
        return None
    changes = list(_changes(ours, base_sha))
    for change in changes:
        _check(ours, change)
    if not ours("ls-files", "--cached", "-z"):
        raise _refused("it deletes every file of the repository")
    text = _text(ours, clean, base_sha, changes)
    paths = tuple(change.path for change in changes)
    return Patch(base_sha=base_sha, text=text, tree=tree, paths=paths)


def between(git: Git, clone: Clone, base_sha: str, commit: str) -> str:
    """The patch a commit of ours was made of."""
    _write_attributes(clone, _ATTRIBUTES)
    diff = git.at(clone.directory)("diff-tree", *_DIFF, base_sha, commit)
    return diff.decode(errors="replace")


def _check_work_tree(work_tree: Path) -> None:
    try:
        found = work_tree.lstat()
    except FileNotFoundError as exc:
        raise _refused("the agent removed its whole checkout") from exc
    if not stat.S_ISDIR(found.st_mode):
        raise _refused("the agent replaced its checkout by something else")


def _write_attributes(clean: Clone, attributes: str) -> None:
    file = clean.directory / ".git" / "info" / "attributes"
    file.parent.mkdir(exist_ok=True)
    file.write_text(attributes)


def _take(git: Git, work_tree: Path) -> None:
    """Put what lies in the directory into our index.

    `update-index` is fed a list: unlike `git add` it never asks a nested repository for its state,
    which would run what that repository's configuration names.
    """
    listed = git("ls-files", "-z", "--modified", "--deleted")
    listed += git("ls-files", "-z", "--others", "--exclude-standard")
    paths = sorted({path for path in listed.split(b"\0") if path})
    for path in paths:
        if path.endswith(b"/"):
            raise _refused(f"{os.fsdecode(path)!r} is a repository inside the repository")
    if sum(_size(work_tree, path) for path in paths) > LARGEST_CHANGE_BYTES:
        raise _refused(f"the changed files hold more than {LARGEST_CHANGE_BYTES} bytes")
    stdin = b"".join(path + b"\0" for path in paths)
    git("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=stdin)


def _size(work_tree: Path, path: bytes) -> int:
    try:
        return (work_tree / os.fsdecode(path)).lstat().st_size
    except OSError:
        return 0


def _changes(git: Git, base_sha: str) -> Iterator[_Change]:
    raw = git("diff-index", "--cached", "--raw", "--no-renames", "--full-index", "-z", base_sha)
    fields = iter(os.fsdecode(raw).split("\0"))
    for header, path in zip(fields, fields, strict=False):
        old_mode, new_mode, _, blob, _ = header.removeprefix(":").split(" ")
        yield _Change(old_mode=old_mode, new_mode=new_mode, blob=blob, path=path)


def _check(git: Git, change: _Change) -> None:
    parts = PurePosixPath(change.path).parts
    if change.path.startswith("/") or ".." in parts:
        raise _refused(f"{change.path!r} leaves the repository")
    if any(part.lower().rstrip(". ") in {".git", "git~1"} for part in parts):
        raise _refused(f"{change.path!r} lies in a .git directory")
    if _GITLINK in {change.old_mode, change.new_mode}:
        raise _refused(f"{change.path!r} changes a submodule")
    if change.new_mode == _SYMLINK:
        _check_symlink(change, os.fsdecode(git("cat-file", "blob", change.blob)))


def _check_symlink(change: _Change, target: str) -> None:
    place = os.path.normpath(PurePosixPath(change.path).parent / target)
    if target.startswith("/") or place.split("/")[0] == "..":
        raise _refused(f"{change.path!r} is a symbolic link out of the repository")
    if ".git" in place.lower().split("/"):
        raise _refused(f"{change.path!r} is a symbolic link into a .git directory")


def _text(git: Git, clean: Clone, base_sha: str, changes: list[_Change]) -> str:
    """The diff as text; files that are neither UTF-8 nor binary to git are shown as binary."""
    whole = git("diff-index", "--cached", *_DIFF, base_sha)
    if len(whole) > LARGEST_PATCH_BYTES:
        raise _refused(f"it is larger than {LARGEST_PATCH_BYTES} bytes")
    if (text := _decoded(whole)) is not None:
        return text
    return "".join(_text_of(git, clean, base_sha, change.path) for change in changes)


def _text_of(git: Git, clean: Clone, base_sha: str, path: str) -> str:
    diff = ("diff-index", "--cached", *_DIFF, base_sha, "--", f":(literal,top){path}")
    text = _decoded(git(*diff))
    if text is None:
        _write_attributes(clean, _BINARY_ATTRIBUTES)
        text = git(*diff).decode("ascii")
        _write_attributes(clean, _ATTRIBUTES)
    return text


def _decoded(diff: bytes) -> str | None:
    try:
        return diff.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _refused(rule: str) -> Refused:
    return Refused("patch_refused", f"the patch is refused: {rule}")
