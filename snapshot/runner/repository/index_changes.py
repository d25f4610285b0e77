"""Changes that the agent made in git's index, and not on the disk.

`git update-index --chmod` and `git add --renormalize` change what is committed and leave the files
as they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ..failure import Failure
from .agents_git import AgentsGit
from .git import Git
from .plumbing import IndexEntry, StagedFile, nul_joined, staged_files

SECONDS: Final = 60.0
_FILE: Final = b"H 100"
"""An entry of `ls-files -t --stage` for a file that is on the disk."""
_PLAIN: Final = b"100644"
_MODES: Final = frozenset({_PLAIN, b"100755"})


def staged(agents: AgentsGit, entries: Iterable[IndexEntry]) -> dict[bytes, StagedFile]:
    """Path → entry, of the agent's index where it is not that of the starting index."""
    known = frozenset(entries)
    differ = (
        (header[2:].split(b" "), path)
        for header, path in agents.entries
        if header.startswith(_FILE) and (header[2:], path) not in known
    )
    return {path: StagedFile(mode, blob, path) for (mode, blob, _), path in differ}


def base_entries(git: Git, theirs: Mapping[bytes, StagedFile]) -> dict[bytes, StagedFile]:
    """The same paths in git's index, which is that of the base."""
    return {file.path: file for file in staged_files(git, among=theirs)} if theirs else {}


def take_modes(
    git: Git, theirs: Mapping[bytes, StagedFile], before: Mapping[bytes, StagedFile]
) -> None:
    """Give files in git's index the mode that they have in the agent's, where that one's is new
    and the one on the disk is not; `before` are the entries of the base."""
    now = staged_files(git, among=theirs)
    taken = [
        file._replace(mode=theirs[file.path].mode)
        for file in now
        if file.mode == _mode(before, file.path) != theirs[file.path].mode and file.mode in _MODES
    ]
    _put(git, taken)


def take_contents(
    git: Git,
    theirs: Mapping[bytes, StagedFile],
    before: Mapping[bytes, StagedFile],
    *,
    is_normalising: bool,
) -> list[bytes]:
    """Compare files that are as they were on the disk, and have another content in the agent's
    index; returns the paths of work that is there alone.

    Where that content is the same file after git's conversions, the agent's git has converted it:
    it is taken if the agent changed the attributes.
    """
    now = {file.path: file for file in staged_files(git, among=theirs)}
    others = [
        path
        for path, file in theirs.items()
        if path in before and now.get(path) == before[path] and file.blob != before[path].blob
    ]
    if not others:
        return []
    converted = _converted(git, others)
    same = {path for path in others if converted.get(path) == theirs[path].blob}
    if is_normalising:
        _put(git, [before[path]._replace(blob=converted[path]) for path in sorted(same)])
    return [path for path in others if path not in same]


def _converted(git: Git, paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """Path → blob of the files as git would keep them now; empty where it cannot read them."""
    assert git.index is not None, "a git for one index"  # noqa: S101
    apart = replace(git, index=git.index.with_name("converted-index"))
    options = ("--add", "--remove", "-z", "--stdin")
    try:
        apart("update-index", *options, stdin=nul_joined(paths), seconds=SECONDS)
        return {file.path: file.blob for file in staged_files(apart)}
    except Failure:
        return {}


def _mode(files: Mapping[bytes, StagedFile], path: bytes) -> bytes:
    return files[path].mode if path in files else _PLAIN


def _put(git: Git, entries: Iterable[StagedFile]) -> None:
    lines = [b"%s %s\t%s" % (file.mode, file.blob, file.path) for file in entries]
    if lines:
        git("update-index", "-z", "--index-info", stdin=nul_joined(lines))
