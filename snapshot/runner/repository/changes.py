"""The paths that the agent changed: its directory now against the state that it began from."""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from .. import files
from .agents_git import AgentsGit
from .artifacts import BuildArtifacts
from .exclusions import Exclusion, ExclusionReason, named
from .git import Git

LARGEST_FILE_BYTES: Final = 100 * 1024**2
LARGEST_CHANGE_BYTES: Final = 160 * 1024**2
"""Of all files that are read: what is more could not be read in the time that is left."""
WALK_SECONDS: Final = 5.0
_GITLINK: Final = b"160000"
_GIT_NAMES: Final = frozenset({b".git", b"git~1"})
_ELF: Final = b"\x7fELF"
_ELF_CORE: Final = b"\x04\x00"


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What goes into the patch, and what does not."""

    written: tuple[bytes, ...]
    """Files and links that are new or have other bytes or another mode."""
    deleted: tuple[bytes, ...]
    excluded: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    """What the agent's git says of its directory and the patch does not follow."""
    files: int
    """How many the repository has."""


def find(
    git: Git,
    work_tree: Path,
    facts: AgentsGit,
    *,
    is_secret: Callable[[bytes], bool],
) -> Changes:
    """Compare. `git` works on a copy of the starting index, without any conversion."""
    kept = _Kept.read(git)
    git("update-index", "-q", "--refresh", allowed=(0, 1))
    touched, gone = _touched(git)
    new, ignored = _untracked(git, facts, kept.files)
    look = _Look(work_tree, kept, is_secret)
    artifacts = BuildArtifacts(kept=kept.files, new=new)
    candidates = [*touched, *(path for path in new if not look.is_artifact(artifacts, path))]
    written = look.within_bounds(path for path in candidates if look.may_go_out(path))
    deleted = [path for path in gone if look.is_gone(path)]
    stay = facts.skipped if not facts.is_sparse else frozenset(deleted)
    look.exclude(_submodules(work_tree, kept.submodules), ExclusionReason.SUBMODULE)
    look.exclude(_special(work_tree), ExclusionReason.SPECIAL)
    look.exclude(
        (path for path in ignored if not _is_expected(artifacts, path)),
        ExclusionReason.IGNORED,
    )
    return Changes(
        written=tuple(sorted(written)),
        deleted=tuple(path for path in deleted if path not in stay),
        excluded=tuple(look.excluded),
        notes=tuple(_notes(facts, kept, gone=deleted, stay=stay)),
        files=len(kept.files),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What the starting index has."""

    files: frozenset[bytes]
    submodules: frozenset[bytes]

    @classmethod
    def read(cls, git: Git) -> "_Kept":
        entries = [e.split(b"\t", 1) for e in git("ls-files", "--stage", "-z").split(b"\0") if e]
        submodules = frozenset(path for header, path in entries if header.startswith(_GITLINK))
        return cls(files=frozenset(path for _, path in entries) - submodules, submodules=submodules)


class _Look:
    """Holds each path against the rules, and keeps what breaks one."""

    def __init__(self, work_tree: Path, kept: _Kept, is_secret: Callable[[bytes], bool]) -> None:
        self._root = os.fsencode(work_tree) + b"/"
        self._kept = kept
        self._is_secret = is_secret
        self._sizes: dict[bytes, int] = {}
        self.excluded: list[Exclusion] = []

    def exclude(self, paths: Iterable[bytes], why: ExclusionReason) -> None:
        """Name them."""
        known = {one.path for one in self.excluded}
        new = sorted({os.fsdecode(path) for path in paths} - known)
        self.excluded += [Exclusion(path=path, why=why) for path in new]

    def is_artifact(self, artifacts: BuildArtifacts, path: bytes) -> bool:
        """A cache goes without a word, a built folder is named once."""
        if artifacts.is_cache(path):
            return True
        built = artifacts.built(path)
        if built is not None:
            self.exclude([built], ExclusionReason.BUILT)
        return built is not None

    def may_go_out(self, path: bytes) -> bool:
        """Whether no rule is against it; one that is, is named."""
        why = self._why_not(path)
        if why is not None:
            self.exclude([path], why)
        return why is None

    def is_gone(self, path: bytes) -> bool:
        """Whether it is known not to be there; a folder that cannot be entered hides its files."""
        try:
            os.lstat(self._root + path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            self.exclude([path], ExclusionReason.UNREADABLE)
        return False

    def within_bounds(self, paths: Iterable[bytes]) -> list[bytes]:
        """Those that fit together; the largest go first."""
        by_size = sorted(paths, key=lambda path: self._sizes.get(path, 0))
        total = sum(self._sizes.values())
        while by_size and total > LARGEST_CHANGE_BYTES:
            largest = by_size.pop()
            total -= self._sizes.get(largest, 0)
            self.exclude([largest], ExclusionReason.LARGE)
        return by_size

    def _why_not(self, path: bytes) -> ExclusionReason | None:
        if path.endswith(b"/"):
            return ExclusionReason.NESTED
        if path in self._kept.submodules:
            return ExclusionReason.SUBMODULE
        if any(part.lower().rstrip(b". ") in _GIT_NAMES for part in path.split(b"/")):
            return ExclusionReason.GIT
        if self._is_secret(path):
            return ExclusionReason.SECRET
        place = self._root + path
        try:
            found = os.lstat(place)
            if stat.S_ISLNK(found.st_mode):
                return self._why_no_link(path, os.readlink(place))  # noqa: PTH115 - bytes, which a Path is not
        except OSError:
            return ExclusionReason.UNREADABLE
        if stat.S_ISDIR(found.st_mode):
            return ExclusionReason.NESTED
        if not stat.S_ISREG(found.st_mode):
            return ExclusionReason.SPECIAL
        return self._why_no_file(path, place, found.st_size)

    def _why_no_file(self, path: bytes, place: bytes, size: int) -> ExclusionReason | None:
        is_new = path not in self._kept.files
        if is_new and _is_core(place):
            return ExclusionReason.CORE
        if size > LARGEST_FILE_BYTES:
            return ExclusionReason.LARGE
        content = files.read(Path(os.fsdecode(place)), most=LARGEST_FILE_BYTES)
        if content is None:
            return ExclusionReason.UNREADABLE
        self._sizes[path] = size
        return ExclusionReason.SECRET if self._is_secret(content) else None

    def _why_no_link(self, path: bytes, target: bytes) -> ExclusionReason | None:
        if self._is_secret(target):
            return ExclusionReason.SECRET
        folder = PurePosixPath(os.fsdecode(path)).parent
        place = os.path.normpath(folder / os.fsdecode(target))
        if target.startswith(b"/") or place.split("/")[0] == "..":
            return ExclusionReason.LINK_OUT
        return ExclusionReason.LINK_GIT if ".git" in place.lower().split("/") else None


def _touched(git: Git) -> tuple[list[bytes], list[bytes]]:
    """Paths of the starting index with other bytes now, and those that are not there."""
    raw = git("diff-files", "--raw", "--no-renames", "--ignore-submodules=all", "-z")
    fields = raw.split(b"\0")
    states = [
        (header.split(b" ")[-1][:1], path)
        for header, path in zip(fields[::2], fields[1::2], strict=False)
    ]
    return (
        [path for state, path in states if state != b"D"],
        [path for state, path in states if state == b"D"],
    )


def _untracked(
    git: Git, facts: AgentsGit, kept: Collection[bytes]
) -> tuple[list[bytes], list[bytes]]:
    """New paths, with those of ignored files that the agent added to its index; ignored ones."""
    new = _listed(git, "--others", "--exclude-standard")
    ignored = _listed(git, "--others", "--ignored", "--exclude-standard", "--directory")
    known = {*new, *kept}
    added = [
        path for path in facts.paths if path not in known and _lies_in(path, frozenset(ignored))
    ]
    hidden = {place for path in added for place in _places(path)}
    return [*new, *added], [path for path in ignored if path not in hidden]


def _listed(git: Git, *options: str) -> list[bytes]:
    return [path for path in git("ls-files", "-z", *options).split(b"\0") if path]


def _lies_in(path: bytes, places: Collection[bytes]) -> bool:
    return any(place in places for place in _places(path))


def _places(path: bytes) -> list[bytes]:
    """The path and the folders around it, as git lists them: with a slash at their end."""
    parts = path.split(b"/")
    return [path, *(b"/".join(parts[:end]) + b"/" for end in range(1, len(parts)))]


def _is_expected(artifacts: BuildArtifacts, path: bytes) -> bool:
    return artifacts.is_cache(path) or artifacts.built(path) is not None


def _submodules(work_tree: Path, paths: Collection[bytes]) -> Iterator[bytes]:
    """Those whose folder was replaced or removed."""
    for path in paths:
        if not files.is_directory(work_tree / os.fsdecode(path)):
            yield path


def _special(work_tree: Path) -> Iterator[bytes]:
    """Pipes, sockets and devices: git never lists them."""
    ends_at = time.monotonic() + WALK_SECONDS
    folders = [(os.fsencode(work_tree), b"")]
    while folders and time.monotonic() < ends_at:
        folder, name = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != b".git":
                    folders.append((entry.path, name + entry.name + b"/"))
            elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                yield name + entry.name


def _is_core(place: bytes) -> bool:
    """An ELF file of the type core, as the kernel writes it (elf(5): e_type)."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
    facts: AgentsGit, kept: _Kept, *, gone: Collection[bytes], stay: Collection[bytes]
) -> Iterator[str]:
    absent = [path for path in gone if path in stay]
    if absent:
        yield (f"Not deleted (a sparse checkout keeps them off the disk): {_named(absent)}.")
    unlisted = kept.files - facts.paths - set(gone) if facts.paths else frozenset()
    if unlisted:
        yield f"Not deleted (taken out of git's index, but on the disk): {_named(unlisted)}."


def _named(paths: Iterable[bytes]) -> str:
    return named([os.fsdecode(path) for path in paths])
