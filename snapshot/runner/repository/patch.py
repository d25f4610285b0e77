"""Makes the patch: what the agent changed, read as data by a git that the agent never touched."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import files
from . import agents_git, borrowed, changes, diff
from .address import RepositoryRejected
from .agents_git import AgentsGit
from .changes import Changes
from .exclusions import HARMLESS, Exclusion, ExclusionReason, cut, named, sentences
from .git import Git, GitFailed
from .starting_state import RAW_ATTRIBUTES, StartingState

DELETIONS: Final = 100
SHARE_OF_DELETIONS: Final = 0.25
FEWEST_DELETIONS: Final = 10
"""A person looks at a patch that deletes 100 files, or 10 that are a quarter of the repository's;
files that only moved do not count."""
LARGEST_INDEX_BYTES: Final = 256 * 1024**2
_ATTRIBUTES: Final = "* !diff !filter"
"""Outranks every .gitattributes: none may hide a change as binary or name a filter."""
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES: Final = 1024
_LOCAL_LOOK: Final = "agents"
_ONE_PACK: Final = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bigFileThreshold",
    "GIT_CONFIG_VALUE_0": "1",
}
"""The added contents become one pack. A file for each object costs 1 ms, and once more where the
objects are copied: 10 s of 16 with 5,000 files."""
_PACKS_SINCE: Final = (2, 37)
"""Before, `git update-index` made one pack for each file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """A patch against `base_sha`; applied there it gives exactly `tree`."""

    base_sha: str
    text: str
    tree: str
    objects: tuple[Path, ...] = ()
    """Folders of the blobs that the base has not, so that nobody has to write them again."""
    later: str = ""
    """The diff of what was left out and is kept nevertheless, for people."""
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences about what is not in it."""
    doubts: tuple[str, ...] = ()
    """Sentences for which a person must look."""
    refusal: str = ""
    """ExclusionReason it may not go out, as it is."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that is not in it, and why."""
        return (*self.doubts, *sentences(self.excluded), *self.notes)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out that may be a part of the work."""
        return not self.doubts and all(one.why in HARMLESS for one in self.excluded)


def make(
    git: Git,
    start: StartingState,
    workdir: Path,
    *,
    is_secret: Callable[[bytes], bool],
    most: int = diff.LARGEST_PATCH_BYTES,
) -> Patch:
    """Compare the agent's directory with the state it began from, in a new directory `workdir`; the
    text has at most so many bytes.

    Nothing of the agent's own .git is run: neither configuration, hooks, filters nor attributes.
    Nothing of a nested repository is run.

    Raises:
        RepositoryRejected: `patch_refused`; there is no directory any more.
    """
    if not files.is_directory(start.work_tree):
        raise RepositoryRejected(
            "patch_refused", "the agent removed its whole checkout, or replaced it"
        )
    facts = agents_git.read(git, workdir / _LOCAL_LOOK, start)
    found = _find(git, start, workdir / "bytes", facts, is_secret)
    return _Maker(git, start, workdir / "tree", facts).patch(found, most)


def _find(
    git: Git,
    start: StartingState,
    workdir: Path,
    facts: AgentsGit,
    is_secret: Callable[[bytes], bool],
) -> Changes:
    borrowed.make(workdir, start.base_sha, objects=[start.objects])
    borrowed.write_attributes(workdir, RAW_ATTRIBUTES)
    index = files.read(start.index, most=LARGEST_INDEX_BYTES)
    (workdir / ".git" / "index").write_bytes(index or b"")
    ours = git.at(workdir, work_tree=start.work_tree)
    if index is None:
        ours("read-tree", start.base_sha)
    return changes.find(ours, start.work_tree, facts, is_secret=is_secret)


class _Maker:
    """Puts the changes into an index of the base, in a git directory of its own."""

    def __init__(self, git: Git, start: StartingState, workdir: Path, facts: AgentsGit) -> None:
        borrowed.make(workdir, start.base_sha, objects=[start.objects])
        self._start = start
        self._workdir = workdir
        self._facts = facts
        self._plain = git
        self._git = git.at(workdir, work_tree=start.work_tree)
        self._left_out: list[Exclusion] = []
        self._lfs: list[bytes] = []
        self._folder = f"{start.path}/" if start.path else ""

    def patch(self, found: Changes, most: int) -> Patch:
        """The patch of these changes; its text is empty if there are none that go out."""
        self._left_out += found.excluded
        self._attributes(f"{_ATTRIBUTES}\n")
        self._git("read-tree", self._start.base_sha)
        self._write(found.written)
        self._git("update-index", "--force-remove", "-z", "--stdin", stdin=_list(found.deleted))
        text, changed = diff.make(
            self._git,
            self._workdir,
            self._start.base_sha,
            self._exclude,
            folder=self._folder,
            most=most,
        )
        tree, refusal = self._git.text("write-tree"), self._refusal()
        return Patch(
            base_sha=self._start.base_sha,
            text=text,
            tree=tree,
            objects=(self._workdir / ".git" / "objects",),
            later=self._later(tree),
            excluded=tuple(self._left_out),
            notes=found.notes,
            doubts=tuple(self._doubts(found, changed)),
            refusal=refusal,
        )

    def _write(self, paths: Sequence[bytes]) -> None:
        kinds = self._kinds(paths)
        kept = self._kept(path for path in paths if path in kinds)
        self._lfs = [path for path in paths if self._is_raw_lfs(path, kinds, kept)]
        self._exclude(self._lfs, ExclusionReason.LFS)
        groups: dict[str, list[bytes]] = {}
        for path in sorted({*paths} - {*self._lfs}):
            groups.setdefault(_without(kept.get(path, b"")), []).append(path)
        for without, group in groups.items():
            self._attributes(f"{_ATTRIBUTES}{without}\n")
            self._add(group)
        self._attributes(f"{RAW_ATTRIBUTES}\n")
        self._add(self._left_out_as(ExclusionReason.UNTAKEN))
        self._attributes(f"{_ATTRIBUTES}\n")

    def _later(self, tree: str) -> str:
        """The diff of files that LFS keeps, with their own content: for people alone."""
        if not self._lfs:
            return ""
        self._add(self._lfs)
        return diff.make(self._git, self._workdir, tree, self._exclude, folder=self._folder)[0]

    def _add(self, paths: Sequence[bytes]) -> None:
        """Halves the list where git refuses one of its paths, until that one is found."""
        if not paths:
            return
        try:
            self._git(
                *("update-index", "--add", "--replace", "-z", "--stdin"),
                stdin=_list(paths),
                environ=_ONE_PACK if self._git.version() >= _PACKS_SINCE else {},
            )
        except GitFailed:
            if len(paths) == 1:
                self._exclude(paths, ExclusionReason.UNTAKEN)
                return
            middle = len(paths) // 2
            self._add(paths[:middle])
            self._add(paths[middle:])

    def _left_out_as(self, why: ExclusionReason) -> list[bytes]:
        """Take back what was left out for one reason, for another try."""
        again = [os.fsencode(one.path) for one in self._left_out if one.why is why]
        self._left_out = [one for one in self._left_out if one.why is not why]
        return again

    def _exclude(self, paths: Iterable[bytes], why: ExclusionReason) -> None:
        self._left_out += [Exclusion(path=os.fsdecode(path), why=why) for path in paths]

    def _kinds(self, paths: Sequence[bytes]) -> dict[bytes, dict[bytes, bytes]]:
        """The attributes by which git would convert each path."""
        names = ("text", "eol", "crlf", "ident", "filter")
        # Its own attributes outrank the filters, which are only asked for here.
        self._attributes("* !diff\n")
        said = self._git("check-attr", "-z", "--stdin", *names, stdin=_list(paths)).split(b"\0")
        self._attributes(f"{_ATTRIBUTES}\n")
        kinds: dict[bytes, dict[bytes, bytes]] = {}
        for path, name, value in zip(said[::3], said[1::3], said[2::3], strict=False):
            if value not in {b"unspecified", b"unset"}:
                kinds.setdefault(path, {})[name] = value
        return kinds

    def _is_raw_lfs(
        self, path: bytes, kinds: dict[bytes, dict[bytes, bytes]], kept: dict[bytes, bytes]
    ) -> bool:
        """Whether LFS would keep it, and it is no pointer; a file that the repository keeps with
        its own content goes on so."""
        if kinds.get(path, {}).get(b"filter") != b"lfs" or path.endswith(b".gitattributes"):
            return False
        place = self._start.work_tree / os.fsdecode(path)
        content = files.read(place, most=_POINTER_BYTES)
        is_ours = path in kept and not kept[path].startswith(_POINTER)
        return not (is_ours or place.is_symlink() or (content or b"").startswith(_POINTER))

    def _kept(self, paths: Iterable[bytes]) -> dict[bytes, bytes]:
        """The content that the repository has of each, where it has one."""
        wanted = set(paths)
        if not wanted:
            return {}
        staged = self._git("ls-files", "--stage", "-z")
        entries = (entry.partition(b"\t") for entry in staged.split(b"\0"))
        names = {path: header.split(b" ")[1] for header, _, path in entries if path in wanted}
        asked = b"".join(name + b"\n" for name in names.values())
        contents = diff.blobs(self._git("cat-file", "--batch", stdin=asked))
        return dict(zip(names, contents, strict=False))

    def _doubts(self, found: Changes, changed: Sequence[diff.Change]) -> Iterable[str]:
        added = {change.blob for change in changed if change.is_written}
        deleted = [c.path for c in changed if not c.is_written and c.old_blob not in added]
        share = len(deleted) / max(1, found.files)
        if len(deleted) >= DELETIONS or (
            len(deleted) >= FEWEST_DELETIONS and share >= SHARE_OF_DELETIONS
        ):
            names = named([os.fsdecode(path) for path in deleted])
            yield cut(f"It deletes {len(deleted)} of {found.files} files: {names}.")
        taken = {change.path: change.blob for change in changed}
        workdir = self._workdir.with_name("left-behind")
        for name, paths in agents_git.left_behind(
            self._plain, workdir, self._start, self._facts, taken
        ):
            names = named([os.fsdecode(path) for path in paths])
            yield cut(f"Work of the agent on {name} is not in the patch: {names}.")

    def _refusal(self) -> str:
        if self._git("ls-files", "--cached", "-z"):
            return ""
        return "the patch is refused: it deletes every file of the repository"

    def _attributes(self, attributes: str) -> None:
        borrowed.write_attributes(self._workdir, attributes)


def _without(kept: bytes) -> str:
    """The conversions that the repository's own content of a file never went through: it is left
    as it is, or every line of it would change with the one that was touched."""
    returns = " -text" if b"\r\n" in kept else ""
    return returns + (" -ident" if b"$Id:" in kept else "")


def _list(paths: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)
