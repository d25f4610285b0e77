"""Changes that the agent made in git's index, and not on the disk.

`git update-index --chmod` and `git add --renormalize` change what is committed and leave the files
as they are.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from .agents_git import AgentsGit
from .git import Git, GitFailed
from .plumbing import IndexEntry, StagedFile, nul_joined, staged_files

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
    paths = nul_joined(others)
    git("update-index", "--force-remove", "-z", "--stdin", stdin=paths)
    with suppress(GitFailed):  # those that it took are compared
        git("update-index", "--add", "-z", "--stdin", stdin=paths)
    converted = {file.path: file.blob for file in staged_files(git, among=frozenset(others))}
    alone = [path for path in others if converted.get(path) != theirs[path].blob]
    _put(git, [before[path] for path in (alone if is_normalising else others)])
    return alone


def _mode(files: Mapping[bytes, StagedFile], path: bytes) -> bytes:
    return files[path].mode if path in files else _PLAIN


def _put(git: Git, entries: Iterable[StagedFile]) -> None:
    lines = [b"%s %s\t%s" % (file.mode, file.blob, file.path) for file in entries]
    if lines:
        git("update-index", "-z", "--index-info", stdin=nul_joined(lines))
