"""A walk through the agent's directory, before git works in it.

It opens again the folders that the agent closed, and removes pipes that git would wait on for ever:
git opens `.gitignore`, `.gitattributes` and some files of a nested repository without a look.
"""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from .. import files

SECONDS: Final = 5.0
_GIT: Final = b".git"
_OPEN: Final = 0o700


class Walk:
    """Of what it finds only the part that git never lists is kept."""

    def __init__(self, work_tree: Path) -> None:
        self.special: list[bytes] = []
        """Pipes, sockets and devices."""
        self.closed: list[bytes] = []
        """Folders that cannot be read."""
        ends_at = time.monotonic() + SECONDS
        self._folders = [(os.fsencode(work_tree), b"")]
        while self._folders and time.monotonic() < ends_at:
            self._enter(*self._folders.pop())

    def _enter(self, folder: bytes, name: bytes) -> None:
        """`name` is the folder within the repository, with a slash at its end."""
        is_gits = _GIT in name.split(b"/")
        try:
            files.reopen(Path(os.fsdecode(folder)), _OPEN)
            entries = list(os.scandir(folder))
        except OSError:
            self.closed += [] if is_gits else [name]
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self._folders.append((entry.path, name + entry.name + b"/"))
            elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                self.special += [] if is_gits else [name + entry.name]
                if is_gits or entry.name.startswith(_GIT):
                    _remove_pipe(entry)


def _remove_pipe(entry: os.DirEntry[bytes]) -> None:
    with suppress(OSError):
        if stat.S_ISFIFO(entry.stat(follow_symlinks=False).st_mode):
            os.unlink(entry.path)  # noqa: PTH108 - bytes, which a Path is not
