"""Makes the patch: the agent's changes, read as data by a git that the agent never touched."""

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from ..failure import Failure, RepositoryRejected
from ..findings import find as findings
from ..findings.file_change import FileChange
from ..findings.find import Finding
from ..stop import Stopped
from . import (
    agents_git,
    changed_files,
    changes,
    clones,
    diff,
    filters,
    foreign_commits,
    index_changes,
    left_files,
    undone_commits,
    unpatched,
    walk,
)
from .agents_git import LARGEST_INDEX_BYTES, LOOK_SECONDS, AgentsGit
from .changes import Changes
from .exclusions import HARMLESS, Exclusion, ExclusionReason, cut, named, sentences
from .git import Git, GitFailed, init_borrowing, write_attributes
from .other_directories import OtherDirectories
from .plumbing import (
    EMPTY_TREES,
    Change,
    StagedFile,
    attributes_of,
    blob_contents,
    nul_joined,
    staged_files,
)
from .starting_state import RAW_ATTRIBUTES, StartingState
from .unpatched import Unpatched

DELETIONS: Final = 100
SHARE_OF_DELETIONS: Final = 0.25
FEWEST_DELETIONS: Final = 10
"""A person looks at a patch that deletes 100 files, or 10 that are a quarter of the repository's;
files that only moved do not count."""
NAMED_PLACES: Final = 3
_ATTRIBUTES: Final = "* !diff !filter"
"""Outranks every .gitattributes: none may hide a change as binary or name a filter."""
_ONE_PACK: Final = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bigFileThreshold",
    "GIT_CONFIG_VALUE_0": "1",
}
"""The added contents become one pack. A file for each object costs 1 ms, and once more where the
objects are copied: 10 s of 16 with 5,000 files."""
FEWEST_PACKED: Final = 10
_PACKS_SINCE: Final = (2, 37)
"""Before, `git update-index` made one pack for each file."""


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A patch against `base_sha`; applied there it gives exactly `tree`."""

    base_sha: str
    text: str
    tree: str
    written: Mapping[bytes, bytes] = {}
    """Path → blob."""
    objects: tuple[Path, ...] = ()
    """Folders of the blobs that the base has not, so that they need not be written again."""
    later: str = ""
    """The diff of excluded files that are kept nevertheless, for people."""
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences about changes that are not in it."""
    doubts: tuple[str, ...] = ()
    """Sentences for which a person must look."""
    refusal: str = ""
    """The reason why it may not go out, if there is one."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about all that is not in it."""
        return (*self.doubts, *sentences(self.excluded), *self.notes)

    @property
    def is_whole(self) -> bool:
        """True if nothing was excluded that may be a part of the work."""
        return not self.doubts and all(one.reason in HARMLESS for one in self.excluded)


def make(
    git: Git,
    start: StartingState,
    workdir: Path,
    *,
    is_secret: Callable[[bytes], bool],
    most: int = diff.LARGEST_PATCH_BYTES,
    around: Path | None = None,
) -> Patch:
    """Compare the agent's directory with its starting state, in a new directory `workdir`.

    The text has at most `most` bytes; `around` is a folder in which the agent's clones are looked
    for. Nothing of the agent's own .git, or of a nested repository,
    is run: neither configuration, hooks, filters nor attributes.

    Raises `RepositoryRejected` (`patch_refused`, if the directory is gone).
    """
    if not files.is_directory(start.work_tree):
        message = "the agent removed its whole checkout, or replaced it"
        raise RepositoryRejected("patch_refused", message)
    unlisted = walk.prepare(start.work_tree)
    agents = agents_git.read(git, workdir / "agents", start)
    comparing = workdir / "bytes"
    init_borrowing(comparing, start.base_sha, objects=[start.objects])
    write_attributes(comparing, RAW_ATTRIBUTES)
    ours = git.at(comparing, work_tree=start.work_tree)
    # With its time: git trusts no entry that is as young as the index, as its file may have changed
    # again in that second.
    if not files.copy(start.index, comparing / ".git" / "index", most=LARGEST_INDEX_BYTES):
        ours("read-tree", start.base_sha)
    left = left_files.read(start.clone)
    found = changes.find(
        ours, start.work_tree, agents, is_secret=is_secret, left=left, unlisted=unlisted
    )
    others = clones.found(around, start.work_tree) if around else []
    builder = _PatchBuilder(git, start, workdir / "tree", agents, is_secret, others=others)
    return builder.build(found, most)


class _PatchBuilder:
    """Adds the changes to an index of the base, in a git directory of its own."""

    def __init__(
        self,
        git: Git,
        start: StartingState,
        workdir: Path,
        agents: AgentsGit,
        is_secret: Callable[[bytes], bool],
        *,
        others: Sequence[Path],
    ) -> None:
        init_borrowing(workdir, start.base_sha, objects=[start.objects])
        self._start = start
        self._workdir = workdir
        self._agents = agents
        self._is_secret = is_secret
        self._clones = others
        self._plain = git
        self._git = git.at(workdir, work_tree=start.work_tree)
        self._excluded: list[Exclusion] = []
        self._held_back: list[bytes] = []
        """Files that a filter would have to convert first."""
        self._unfiltered: dict[bytes, bytes] = {}
        """Path → name of the filter."""
        self._in_index: list[bytes] = []
        """Files whose work is in the agent's index alone."""
        self._folder = f"{start.path}/" if start.path else ""

    def build(self, found: Changes, most: int) -> Patch:
        """The patch of these changes; its text is empty if there are none that go out."""
        base_sha = self._start.base_sha
        self._excluded += found.excluded
        write_attributes(self._workdir, f"{_ATTRIBUTES}\n")
        self._git("read-tree", base_sha)
        before = index_changes.base_entries(self._git, found.staged)
        self._write(found.written)
        if found.deleted:
            removed = nul_joined(found.deleted)
            self._git("update-index", "--force-remove", "-z", "--stdin", stdin=removed)
        self._take_index(found, before)
        texts, changed = self._diff(base_sha, most)
        written = {change.path: change.blob for change in changed if change.is_written}
        # A submodule is not in the pull request; that it changed is a doubt already.
        files = [] if self._start.path else changed_files.read(self._git, changed, texts)
        tree = self._git.text("write-tree")
        refusal = "the patch is refused: it deletes every file of the repository"
        return Patch(
            base_sha=base_sha,
            text="".join(texts),
            tree=tree,
            written=written,
            objects=(self._workdir / ".git" / "objects",),
            later=self._later(tree),
            excluded=tuple(self._excluded),
            notes=(*found.notes, *map(_sentence, findings.notes(files))),
            doubts=tuple(self._doubts(found, changed, files, written)),
            refusal=refusal if tree in EMPTY_TREES else "",
        )

    def _write(self, paths: Sequence[bytes]) -> None:
        if not paths:
            return
        names = ("text", "eol", "crlf", "ident", "filter")
        # Our own attributes outrank the filters, which are only asked for here.
        write_attributes(self._workdir, "* !diff\n")
        attributes = attributes_of(self._git, names, paths)
        kept = self._kept({path for path in paths if path in attributes})
        self._hold_back(attributes, kept)
        groups: dict[str, list[bytes]] = {}
        for path in sorted({*paths} - {*self._held_back}):
            groups.setdefault(_unconverted(kept.get(path, b"")), []).append(path)
        for unconverted, group in groups.items():
            write_attributes(self._workdir, f"{_ATTRIBUTES}{unconverted}\n")
            self._add(group)
        self._add_raw()
        self._exclude(self._passed_over({*paths} - {*self._held_back}), ExclusionReason.UNTAKEN)
        write_attributes(self._workdir, f"{_ATTRIBUTES}\n")

    def _hold_back(
        self, attributes: Mapping[bytes, Mapping[bytes, bytes]], kept: Mapping[bytes, bytes]
    ) -> None:
        """Sort the files that the repository keeps through a filter."""
        sorted_ = filters.sort(self._start.work_tree, attributes, kept)
        self._exclude(sorted_.raw_lfs, ExclusionReason.LFS)
        self._exclude(sorted_.to_encrypt, ExclusionReason.ENCRYPTED)
        self._held_back = [*sorted_.raw_lfs, *sorted_.to_encrypt]
        # Of filters that the agent named itself, its attributes tell the reviewer.
        others = sorted_.unfiltered
        if others:
            before = attributes_of(self._git, ("filter",), others, is_of_index=True)
            self._unfiltered = {path: others[path] for path in before}

    def _take_index(self, found: Changes, before: Mapping[bytes, StagedFile]) -> None:
        """Take over what the agent changed in its index and not on the disk."""
        if not found.staged:
            return
        attributes = any(path.endswith(b".gitattributes") for path in found.written)
        self._in_index = index_changes.take_contents(
            self._git, found.staged, before, is_normalising=attributes
        )
        index_changes.take_modes(self._git, found.staged, before)

    def _add(self, paths: Sequence[bytes]) -> None:
        """Add paths; where git refuses one, halve the list until that one is found."""
        if not paths:
            return
        try:
            self._git(
                *("update-index", "--add", "--replace", "-z", "--stdin"),
                stdin=nul_joined(paths),
                environ=self._packing(paths),
            )
        except GitFailed:
            if len(paths) == 1:
                self._exclude(paths, ExclusionReason.UNTAKEN)
                return
            middle = len(paths) // 2
            self._add(paths[:middle])
            self._add(paths[middle:])

    def _packing(self, paths: Sequence[bytes]) -> Mapping[str, str]:
        if len(paths) < FEWEST_PACKED or self._plain.version() < _PACKS_SINCE:
            return {}
        return _ONE_PACK

    def _add_raw(self) -> None:
        """Try the refused paths again without any conversion."""
        untaken = ExclusionReason.UNTAKEN
        refused = [one.path for one in self._excluded if one.reason is untaken]
        self._excluded = [one for one in self._excluded if one.reason is not untaken]
        write_attributes(self._workdir, f"{RAW_ATTRIBUTES}\n")
        self._add([*map(os.fsencode, refused)])

    def _passed_over(self, paths: set[bytes]) -> list[bytes]:
        """The paths that git left as they were without an error, such as a link `.gitmodules`."""
        modes = {file.path: file.mode for file in staged_files(self._git, among=paths)}
        paths -= {os.fsencode(one.path) for one in self._excluded}
        return [path for path in paths if modes.get(path, b"")[:2] != self._kind(path)]

    def _kind(self, path: bytes) -> bytes:
        """The beginning of its mode in git."""
        full = self._start.work_tree / os.fsdecode(path)
        return b"12" if full.is_symlink() else b"10"

    def _diff(self, base_sha: str, most: int) -> tuple[list[str], list[Change]]:
        folder = self._folder
        return diff.make(
            self._git, self._workdir, base_sha, self._exclude, folder=folder, most=most
        )

    def _later(self, tree: str) -> str:
        """The diff of files that were held back, with their own content: for people alone."""
        if not self._held_back:
            return ""
        self._add(self._held_back)
        return "".join(self._diff(tree, diff.LARGEST_PATCH_BYTES)[0])

    def _exclude(self, paths: Iterable[bytes], reason: ExclusionReason) -> None:
        self._excluded += [Exclusion(os.fsdecode(path), reason) for path in paths]

    def _kept(self, paths: set[bytes]) -> dict[bytes, bytes]:
        """The repository's content of each path, where it has one."""
        if not paths:
            return {}
        blobs = {file.path: file.blob for file in staged_files(self._git, among=paths)}
        return dict(zip(blobs, blob_contents(self._git, blobs.values()), strict=False))

    def _doubts(
        self,
        found: Changes,
        changed: Sequence[Change],
        files: Sequence[FileChange],
        written: Mapping[bytes, bytes],
    ) -> Iterator[str]:
        yield from self._deletions(found, changed, written)
        if self._unfiltered:
            names = named(filters.named(self._unfiltered))
            yield cut(f"A filter of the repository did not run: {names}.")
        try:
            yield from self._undone(changed, files)
            yield from self._elsewhere(written)
        except Stopped as stopped:
            # The patch itself is made: it must not be lost with them.
            yield cut(f"The work was not looked through to its end: {stopped.detail}.")

    def _deletions(
        self, found: Changes, changed: Sequence[Change], written: Mapping[bytes, bytes]
    ) -> Iterator[str]:
        added = {*written.values()}
        deleted = [c.path for c in changed if not c.is_written and c.old_blob not in added]
        share = len(deleted) / max(1, found.files)
        if len(deleted) >= DELETIONS or (
            len(deleted) >= FEWEST_DELETIONS and share >= SHARE_OF_DELETIONS
        ):
            names = named([*map(os.fsdecode, deleted)])
            yield cut(f"It deletes {len(deleted)} of {found.files} files: {names}.")

    def _undone(self, changed: Sequence[Change], files: Sequence[FileChange]) -> list[str]:
        workdir = self._workdir.with_name("undone")
        seen = changed if files else []
        back = undone_commits.find(self._plain, workdir, self._start, self._agents, seen)
        workdir = self._workdir.with_name("foreign")
        new = foreign_commits.find(self._plain, workdir, self._start, self._agents) if seen else []
        return _findings(files, back, new)

    def _elsewhere(self, patched: Mapping[bytes, bytes]) -> list[str]:
        """A sentence about the work that is not in the agent's directory, nor in the patch."""
        git = self._plain.within(LOOK_SECONDS)
        workdir = self._workdir.with_name("unpatched")
        found = [Unpatched("git's index", self._in_index)] if self._in_index else []
        found += unpatched.find(git, workdir, self._start, self._agents, patched)
        others = OtherDirectories(git, workdir, self._start, partial(self._missing, git, patched))
        found += others.in_worktrees(self._agents.worktrees)
        found += others.in_clones(self._clones, patched)
        if not found:
            return []
        places = named([one.place for one in found], most=NAMED_PLACES)
        paths = sorted({os.fsdecode(path) for one in found for path in one.paths})
        names = f"is not in the patch: {named(paths)}" if paths else "may not be in the patch"
        return [cut(f"Work of the agent on {places} {names}.")]

    def _missing(
        self, git: Git, patched: Mapping[bytes, bytes], start: StartingState, workdir: Path
    ) -> list[bytes] | None:
        """The changes of another directory that the patch lacks; None if they cannot be read."""
        try:
            made = make(git, start, workdir, is_secret=self._is_secret)
        except (Failure, OSError):
            return None
        missing = [path for path, blob in made.written.items() if patched.get(path) != blob]
        excluded = [one for one in made.excluded if one.reason not in HARMLESS]
        return missing + [os.fsencode(one.path) for one in excluded]


def _findings(
    files: Sequence[FileChange], undone: Sequence[str], foreign: Sequence[str]
) -> list[str]:
    """The findings; of a text that our rules cannot read a sentence: the patch is kept anyway."""
    try:
        return [_sentence(finding) for finding in findings.find(files, undone, foreign)]
    except Exception:  # noqa: BLE001 - a mistake of ours must not cost the agent's work
        traceback.print_exc()
        return ["The patch could not be looked through for what its reviewer must see."]


def _sentence(finding: Finding) -> str:
    return cut(f"{finding.sentence}: {named(finding.subjects)}.")


def _unconverted(kept: bytes) -> str:
    """Attributes against conversions that the repository's own content never went through.

    With them, every line would change with the one that was touched.
    """
    returns = " -text" if b"\r\n" in kept else ""
    return returns + (" -ident" if b"$Id:" in kept else "")
