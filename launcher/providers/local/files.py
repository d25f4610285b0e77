"""Files of ours in directories that an agent of the same user may have altered or closed.

No kernel keeps a user from changing the mode of its own files; and where Landlock is missing, an
agent may have put a link, a pipe or a folder in the place of one.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO


def restore_access(path: Path) -> None:
    """Let us use a directory or file of ours again, whatever its mode; no link is followed."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        wanted = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
        is_ours = found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode)
        if is_ours and found.st_mode & wanted != wanted:
            path.chmod(wanted)


def open_regular(path: Path) -> BinaryIO | None:
    """A regular file or nothing: a link may lead to any secret, and reading a pipe would hang."""
    restore_access(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")
