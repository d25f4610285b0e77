"""The private directory of one attempt: spool, lock, trajectory, checkouts."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .failure import Failure

_WORKDIRS: Final = "work-"
_LOOKS: Final = 10
_LOOK_SECONDS: Final = 0.1
"""A look from outside takes the lock for a moment: only who holds it for a second is a runner."""


class StateDirectory:
    """Ours alone. Its default lies in /tmp, where anybody could have made it before us."""

    def __init__(self, path: Path) -> None:
        """Make it, or take the one of an earlier start.

        Raises:
            Failure: `state_directory` if it cannot be made or belongs to somebody else.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = path.lstat()
        except OSError as exc:
            raise Failure("state_directory", f"{path} cannot be made: {exc.strerror}") from exc
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise Failure("state_directory", f"{path} must be a directory of our own")

    @contextmanager
    def held(self, process: int) -> Iterator[None]:
        """Hold the attempt for the process that the sandbox knows: two runners on one spool would
        tell two stories.

        Raises:
            Failure: `already_running`.
        """
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            message = f"another runner of this attempt holds {self.path}"
            raise Failure("already_running", message)
        try:
            # Whoever looks from outside learns from the lock whether we live, and whom to stop.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(process).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def workdir(self, purpose: str) -> Path:
        """A new directory under a name nobody could have prepared."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{_WORKDIRS}{purpose}-", dir=self.path))

    def reopen(self) -> None:
        """Take back what a command has closed: Landlock keeps nobody from changing the mode of a
        file of its own user."""
        with suppress(OSError):
            open_way(self.path)
        for path in self.path.glob("*"):
            with suppress(OSError):  # our other threads make and remove files here
                _open(path, 0o700 if path.is_dir() else 0o600)

    def clear(self) -> None:
        """Remove the rooms of an earlier start; what cannot be removed only costs space."""
        for workdir in self.path.glob(f"{_WORKDIRS}*"):
            shutil.rmtree(workdir, ignore_errors=True)


def open_way(directory: Path) -> None:
    """Make the directory ours and open again, with all above it that are ours.

    Raises:
        OSError: it cannot be made.
    """
    for path in (*reversed(directory.parents), directory):
        try:
            _open(path, 0o700)
            is_other = path == directory and not stat.S_ISDIR(path.lstat().st_mode)
        except FileNotFoundError:
            break
        if is_other:
            path.unlink()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _open(path: Path, mode: int) -> None:
    """No link is followed: it could lead to any file of ours."""
    found = path.lstat()
    is_ours = found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode)
    if is_ours and found.st_mode & mode != mode:
        path.chmod(mode)


def _lock(descriptor: int) -> bool:
    for look in range(_LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if look < _LOOKS - 1:
                time.sleep(_LOOK_SECONDS)
            continue
        return True
    return False
