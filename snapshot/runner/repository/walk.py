"""A walk through the agent's directory, before git works in it.

It opens again the folders that the agent closed, and removes pipes that git would wait on for ever:
git opens `.gitignore`, `.gitattributes` and some files of a nested repository without a look, also
where a link or a `.git` file leads to them: then the link or that file is removed.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from .. import files

SECONDS: Final = 5.0
_GIT: Final = b".git"
_OPENED: Final = (b"HEAD", b"commondir")
"""Files that git opens in a folder to see that it is a repository."""
_POINTER_BYTES: Final = 5_000
_OPEN: Final = 0o700


class Unlisted(NamedTuple):
    """The part of a directory that git never lists."""

    special: list[bytes]
    """Pipes, sockets and devices, and what leads git to a pipe."""
    closed: list[bytes]
    """Folders that cannot be read."""
    gits: list[bytes]
    """All that is called `.git`, but the repository's own."""


def prepare(work_tree: Path) -> Unlisted:
    """Walk through the directory, as far as the time goes."""
    found = Unlisted([], [], [])
    ends_at = time.monotonic() + SECONDS
    folders = [(os.fsencode(work_tree), b"")]
    while folders and time.monotonic() < ends_at:
        folders += _enter(*folders.pop(), found)
    return found


def _enter(folder: bytes, name: bytes, found: Unlisted) -> Iterator[tuple[bytes, bytes]]:
    """The folders in one; `name` is that within the repository, with a slash at its end."""
    is_gits = _GIT in name.split(b"/")
    try:
        files.reopen(Path(os.fsdecode(folder)), _OPEN)
        entries = list(os.scandir(folder))
    except OSError:
        found.closed.extend([] if is_gits else [name])
        return
    for entry in entries:
        if entry.name == _GIT and name and not is_gits:
            found.gits.append(name + entry.name)
        if entry.is_dir(follow_symlinks=False):
            yield entry.path, name + entry.name + b"/"
            continue
        is_file = entry.is_file(follow_symlinks=False)
        is_special = not is_file and not entry.is_symlink()
        if entry.name == _GIT or (not is_file and (is_gits or entry.name.startswith(_GIT))):
            is_special |= _remove_pipe(entry)
        found.special.extend([name + entry.name] if is_special and not is_gits else [])


def _remove_pipe(entry: os.DirEntry[bytes]) -> bool:
    """Remove a pipe, or what leads git to one; True if it was."""
    opened = [entry.path]
    if entry.name == _GIT:
        folder = _git_directory(entry)
        opened += [os.path.join(folder, name) for name in _OPENED]  # noqa: PTH118 - bytes
    is_pipe = any(map(_is_pipe, opened))
    if is_pipe:
        with suppress(OSError):
            os.unlink(entry.path)  # noqa: PTH108 - bytes, which a Path is not
    return is_pipe


def _git_directory(entry: os.DirEntry[bytes]) -> bytes:
    """The folder that a `.git` leads to, as a link or as a file that names it."""
    content = files.read(Path(os.fsdecode(entry.path)), most=_POINTER_BYTES) or b""
    pointer = content.removeprefix(b"gitdir: ").rstrip(b"\r\n")
    return os.path.join(os.path.dirname(entry.path), pointer) if content else entry.path  # noqa: PTH118, PTH120 - bytes


def _is_pipe(path: bytes) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)  # noqa: PTH116 - bytes, which a Path is not
    except (OSError, ValueError):
        return False
