"""Files that others could have written: opened without following a link or waiting on a pipe."""

import os
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

LARGEST_IN_MEMORY: Final = 1024**2


def read(path: Path, *, most: int | None = None) -> bytes | None:
    """The content of a regular file of at most `most` bytes; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or (most is not None and found.st_size > most):
        os.close(descriptor)
        return None
    with suppress(OSError), os.fdopen(descriptor, "rb") as file:
        return file.read(-1 if most is None else most)
    return None


def source(content: bytes) -> IO[bytes]:
    """An open file for the standard input of a program; the caller closes it.

    Nothing is `/dev/null`: ripgrep would search an empty file instead of the directory. What is
    small is in memory: a file on a disk costs as much as git itself where many were removed.
    """
    if not content:
        return Path(os.devnull).open("rb")
    if len(content) <= LARGEST_IN_MEMORY and hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("input"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(content)
    file.seek(0)
    return file


def copy(source: Path, target: Path, *, most: int) -> bool:
    """Copy what `read` would return, with the time of its last change; False where that is None."""
    try:
        changed_at = source.lstat().st_mtime_ns
    except OSError:
        return False
    content = read(source, most=most)
    if content is None:
        return False
    target.write_bytes(content)
    os.utime(target, ns=(changed_at, changed_at))
    return True


def is_directory(path: Path) -> bool:
    """True for a directory that is no link."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def walk(
    folder: str | os.PathLike[str], *, skipped: Collection[str] = ()
) -> Iterator[os.DirEntry[str]]:
    """All that is no folder, in a folder and those below it, however deep; no link is followed.

    `skipped` names folders that are not entered.
    """
    folders = [os.fspath(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry
                elif entry.name not in skipped:
                    folders.append(entry.path)


def reopen(path: Path, mode: int) -> None:
    """Give back a path of ours the mode that a command took; no link is followed."""
    found = path.lstat()
    is_ours = found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode)
    if is_ours and found.st_mode & mode != mode:
        path.chmod(mode)


def reopen_path(directory: Path) -> None:
    """Make the directory ours and open again, with all above it that are ours."""
    for path in (*reversed(directory.parents), directory):
        try:
            reopen(path, 0o700)
            is_other = path == directory and not is_directory(path)
        except FileNotFoundError:
            break
        if is_other:
            path.unlink()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
