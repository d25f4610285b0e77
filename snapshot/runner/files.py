"""Opens files that others could have written: regular ones, never through a link, never a pipe."""

import os
import stat
from pathlib import Path


def read(path: Path, *, most: int) -> bytes | None:
    """The content of a regular file of at most so many bytes; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        os.close(descriptor)
        return None
    try:
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most)
    except OSError:
        return None


def is_directory(path: Path) -> bool:
    """A directory that is no link."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
