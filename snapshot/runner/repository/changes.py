"""The paths that the agent changed: its directory now against its starting state."""

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from .. import files
from ..text import plain
from . import filters, index_changes
from .agents_git import AgentsGit
from .exclusions import BuildArtifacts, Exclusion, ExclusionReason, named
from .git import Git
from .left_files import LeftFiles
from .plumbing import (
    GITLINK,
    IndexEntry,
    StagedFile,
    index_entries,
    nul_joined,
    nul_list,
    parents,
    raw_changes,
)
from .walk import Unlisted

LARGEST_FILE_BYTES: Final = 100 * 1024**2
LARGEST_CHANGE_BYTES: Final = 160 * 1024**2
"""Of all files that are read: more could not be read in the time that is left."""
_GIT_NAMES: Final = frozenset({".git", "git~1"})
_SEPARATORS: Final = re.compile(r"[/\\]")
_SECOND: Final = 10**9
_ELF: Final = b"\x7fELF"
_ELF_CORE: Final = b"\x04\x00"


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    written: tuple[bytes, ...]
    """Files and links that are new or have other bytes or another mode."""
    deleted: tuple[bytes, ...]
    excluded: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    """Sentences about deletions in the agent's git that the patch does not follow."""
    files: int
    """The number of the repository's files."""
    staged: Mapping[bytes, StagedFile]
    """Path → entry of the agent's index, where that is not as it was."""


def find(
    git: Git,
    work_tree: Path,
    agents: AgentsGit,
    *,
    is_secret: Callable[[bytes], bool],
    left: LeftFiles,
    unlisted: Unlisted,
) -> Changes:
    """Compare. `git` works on a copy of the starting index, without any conversion."""
    entries = list(index_entries(git))
    kept = _Kept.of(entries)
    if git.index is not None:
        _date(git, git.index, work_tree, entries)
    git("update-index", "-q", "--refresh", allowed=(0, 1))
    touched, gone = _touched(git)
    touched = filters.unpulled(git, work_tree, touched, entries)
    others, ignored = _untracked(git, agents, kept.files)
    new, unwanted = left.without(others, work_tree), left.without(ignored, work_tree)
    artifacts = BuildArtifacts(kept=kept.files, new=new)
    worktrees = frozenset(os.fsencode(one.path) for one in agents.worktrees)
    rules = _Rules(work_tree, kept, artifacts, is_secret, worktrees)
    candidates = [*touched, *(path for path in new if not rules.is_artifact(path))]
    written = rules.within_limits(path for path in candidates if rules.is_allowed(path))
    special = frozenset(unlisted.special)
    deleted = [path for path in gone if path not in special and rules.is_gone(path)]
    stay = agents.skipped if not agents.is_sparse else frozenset(deleted)
    rules.exclude(_changed_submodules(work_tree, agents, kept), ExclusionReason.SUBMODULE)
    rules.exclude(special, ExclusionReason.SPECIAL)
    rules.exclude(_hidden(unlisted.gits, [*others, *ignored], kept), ExclusionReason.GIT)
    rules.exclude(unlisted.closed, ExclusionReason.UNREADABLE)
    unexpected = (
        path for path in unwanted if not (artifacts.is_cache(path) or artifacts.built(path))
    )
    rules.exclude(unexpected, ExclusionReason.IGNORED)
    return Changes(
        written=tuple(sorted(written)),
        deleted=tuple(path for path in deleted if path not in stay),
        excluded=tuple(rules.excluded),
        notes=tuple(_notes(agents, kept, gone=deleted, stay=stay)),
        files=len(kept.files),
        staged=index_changes.staged(agents, entries),
    )


class _Kept(msgspec.Struct, frozen=True):
    """The paths of the starting index."""

    files: frozenset[bytes]
    submodules: dict[bytes, bytes]
    """Path → commit."""

    @classmethod
    def of(cls, entries: Sequence[IndexEntry]) -> "_Kept":
        links = (entry for entry in entries if entry[0].startswith(GITLINK))
        submodules = {path: header.split(b" ")[1] for header, path in links}
        return cls(frozenset(path for _, path in entries) - submodules.keys(), submodules)


class _Rules:
    """Checks each path against the rules, and collects the exclusions."""

    def __init__(
        self,
        work_tree: Path,
        kept: _Kept,
        artifacts: BuildArtifacts,
        is_secret: Callable[[bytes], bool],
        worktrees: Collection[bytes],
    ) -> None:
        self._worktrees = worktrees
        self._root = os.fsencode(work_tree) + b"/"
        self._real_root = os.path.realpath(self._root) + b"/"
        self._kept = kept
        self._artifacts = artifacts
        self._is_secret = is_secret
        self._sizes: dict[bytes, int] = {}
        self.excluded: list[Exclusion] = []

    def exclude(self, paths: Iterable[bytes], reason: ExclusionReason) -> None:
        known = {exclusion.path for exclusion in self.excluded}
        new = sorted({os.fsdecode(path) for path in paths} - known)
        self.excluded += [Exclusion(path, reason) for path in new]

    def is_artifact(self, path: bytes) -> bool:
        """A cache is not reported, a built folder once."""
        if self._artifacts.is_cache(path):
            return True
        built = self._artifacts.built(path)
        if built is not None:
            self.exclude([built], ExclusionReason.BUILT)
        return built is not None

    def is_allowed(self, path: bytes) -> bool:
        reason = self._reason_against(path)
        if reason is not None:
            self.exclude([path], reason)
        return reason is None

    def is_gone(self, path: bytes) -> bool:
        """False also for a file in a folder that cannot be entered: it may be there."""
        try:
            found = os.lstat(self._root + path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            self.exclude([path], ExclusionReason.UNREADABLE)
            return False
        is_folder = stat.S_ISDIR(found.st_mode)
        is_nested = is_folder and os.path.lexists(self._root + path + b"/.git")
        # git lists nothing of a repository that stands in the place of a file.
        self.exclude([path + b"/"] if is_nested else [], ExclusionReason.NESTED)
        return is_folder and not is_nested

    def within_limits(self, paths: Iterable[bytes]) -> list[bytes]:
        """The paths without the largest ones, so that the rest fits."""
        by_size = sorted(paths, key=lambda path: self._sizes.get(path, 0))
        total = sum(self._sizes.values())
        while by_size and total > LARGEST_CHANGE_BYTES:
            largest = by_size.pop()
            total -= self._sizes.get(largest, 0)
            self.exclude([largest], ExclusionReason.LARGE)
        return by_size

    def _reason_against(self, path: bytes) -> ExclusionReason | None:
        if path.endswith(b"/"):
            # The work in it is looked for elsewhere.
            is_linked = os.path.realpath(self._root + path) in self._worktrees
            return ExclusionReason.WORKTREE if is_linked else ExclusionReason.NESTED
        if path in self._kept.submodules:
            return ExclusionReason.SUBMODULE
        if _is_gits(os.fsdecode(path)):
            return ExclusionReason.GIT
        if self._is_secret(path):
            return ExclusionReason.SECRET
        full = self._root + path
        try:
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                return self._against_link(path, os.readlink(full))  # noqa: PTH115 - bytes, which a Path is not
        except OSError:
            return ExclusionReason.UNREADABLE
        if stat.S_ISDIR(found.st_mode):
            return ExclusionReason.NESTED
        if not stat.S_ISREG(found.st_mode):
            return ExclusionReason.SPECIAL
        return self._against_file(path, full, found.st_size)

    def _against_file(self, path: bytes, full: bytes, size: int) -> ExclusionReason | None:
        if path not in self._kept.files and _is_core(full):
            return ExclusionReason.CORE
        if size > LARGEST_FILE_BYTES:
            return ExclusionReason.LARGE
        name = Path(os.fsdecode(full))
        with suppress(OSError):
            files.reopen(name, 0o400)
        content = files.read(name, most=LARGEST_FILE_BYTES)
        if content is None:
            return ExclusionReason.UNREADABLE
        self._sizes[path] = size
        return ExclusionReason.SECRET if self._is_secret(content) else None

    def _against_link(self, path: bytes, target: bytes) -> ExclusionReason | None:
        if self._is_secret(target):
            return ExclusionReason.SECRET
        folder = PurePosixPath(os.fsdecode(path)).parent
        resolved = os.path.normpath(folder / os.fsdecode(target))
        if target.startswith(b"/") or resolved.split("/")[0] == ".." or self._is_out(path):
            is_theirs = path in self._kept.files or self._artifacts.keeps(path)
            return ExclusionReason.REPLACED if is_theirs else ExclusionReason.LINK_OUT
        return ExclusionReason.LINK_GIT if _is_gits(resolved) else None

    def _is_out(self, path: bytes) -> bool:
        """True if a link leads out through other links."""
        return not (os.path.realpath(self._root + path) + b"/").startswith(self._real_root)


def _is_gits(path: str) -> bool:
    """True if a part of the path is a git directory on some file system, as fsck of git sees it."""
    parts = (plain(part).partition(":")[0] for part in _SEPARATORS.split(path))
    return any(part.lower().rstrip(". ") in _GIT_NAMES for part in parts)


def _date(git: Git, index: Path, work_tree: Path, entries: Iterable[IndexEntry]) -> None:
    """Date the index a second later, without what it knows of the files that changed after it.

    git keeps whole seconds, and reads each file that is as young as the index: all of them after a
    quick checkout (gitformat-index(5), racy-git). The kernel keeps nanoseconds.
    """
    written_at = index.stat().st_mtime_ns
    later = written_at + _SECOND
    root = os.fsencode(work_tree) + b"/"
    changed = [b"\t".join(one) for one in entries if _changed_at(root + one[1]) >= written_at]
    os.utime(index, ns=(later, later))
    if changed:
        git("update-index", "-z", "--index-info", stdin=nul_joined(changed))
        os.utime(index, ns=(later, later))


def _changed_at(path: bytes) -> int:
    """Nanoseconds; 0 where nothing is."""
    try:
        return os.lstat(path).st_ctime_ns
    except OSError:
        return 0


def _touched(git: Git) -> tuple[list[bytes], list[bytes]]:
    """Paths of the starting index with other bytes now, and those that are not there."""
    raw = git("diff-files", "--raw", "--no-renames", "--ignore-submodules=all", "-z")
    touched: list[bytes] = []
    gone: list[bytes] = []
    for change in raw_changes(raw):
        (gone if change.status[:1] == b"D" else touched).append(change.path)
    return touched, gone


def _untracked(
    git: Git, agents: AgentsGit, kept: Collection[bytes]
) -> tuple[list[bytes], list[bytes]]:
    """New paths, with the ignored files that the agent added to its index; other ignored paths."""
    listing = ("ls-files", "-z", "--others", "--exclude-standard")
    new = nul_list(git(*listing))
    ignored = nul_list(git(*listing, "--ignored", "--directory"))
    known, ignored_paths = {*new, *kept}, frozenset(ignored)
    added = [
        path
        for path in agents.paths
        if path not in known and not ignored_paths.isdisjoint(_listings(path))
    ]
    hidden = {listing for path in added for listing in _listings(path)}
    return [*new, *added], [path for path in ignored if path not in hidden]


def _hidden(gits: Iterable[bytes], listed: Iterable[bytes], kept: _Kept) -> Iterator[bytes]:
    """The paths among these that git passes over without a word: it lists the folder of a nested
    repository, and one that is ignored."""
    named = {*listed, *(path + b"/" for path in kept.submodules)}
    yield from (path for path in gits if named.isdisjoint(_listings(path)))


def _listings(path: bytes) -> list[bytes]:
    """The path and the folders around it, as git lists them: with a slash at their end."""
    return [path, *(folder + b"/" for folder in parents(path))]


def _changed_submodules(work_tree: Path, agents: AgentsGit, kept: _Kept) -> Iterator[bytes]:
    """The submodules that are at another commit in the agent's index, new or gone there, or whose
    folder is none of a submodule."""
    yield from agents.submodules.keys() - kept.submodules.keys()
    for path, sha in kept.submodules.items():
        is_other = agents.paths and agents.submodules.get(path) != sha
        if is_other or not _is_submodule(work_tree / os.fsdecode(path)):
            yield path


def _is_submodule(folder: Path) -> bool:
    """False for files where no submodule is checked out."""
    if not files.is_directory(folder):
        return False
    with suppress(OSError):
        # Git may have moved its git directory into that of the repository, and left a file.
        return os.path.lexists(folder / ".git") or not any(folder.iterdir())
    return False


def _is_core(full: bytes) -> bool:
    """True for an ELF file of the type core, as the kernel writes it (elf(5): e_type)."""
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        head = os.read(descriptor, 18)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return head.startswith(_ELF) and head[16:18] in {_ELF_CORE, _ELF_CORE[::-1]}


def _notes(
    agents: AgentsGit, kept: _Kept, *, gone: Collection[bytes], stay: Collection[bytes]
) -> Iterator[str]:
    absent = [path for path in gone if path in stay]
    if absent:
        names = named([*map(os.fsdecode, absent)])
        yield f"Not deleted (a sparse checkout keeps them off the disk): {names}."
    unlisted = kept.files - agents.paths - set(gone) if agents.paths else frozenset()
    if unlisted:
        names = named([*map(os.fsdecode, unlisted)])
        yield f"Not deleted (taken out of git's index, but on the disk): {names}."
