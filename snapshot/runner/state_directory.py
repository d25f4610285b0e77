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

from . import files
from .failure import Failure

HOME: Final = "home"
TEMPORARY: Final = "tmp"
"""Folders of a work directory, for commands."""
_WORKDIRS: Final = "work-"
RESERVE: Final = "reserve"
RESERVE_BYTES: Final = 32 * 1024**2
FEWEST_FREE_BYTES: Final = 256 * 1024**2
FEWEST_FREE_FILES: Final = 10_000
_LOCK_TRIES: Final = 10
_LOCK_SECONDS: Final = 0.1
"""Observers take the lock for a moment; only a runner holds it for a second."""


class StateDirectory:
    """Its default lies in /tmp, where anybody could have made it before us."""

    def __init__(self, path: Path) -> None:
        """Make it, or take that of an earlier start; raises `state_directory` if it is not ours."""
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
        """Hold the lock for the process that the sandbox knows; raises `already_running`."""
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            message = f"another runner of this attempt holds {self.path}"
            raise Failure("already_running", message)
        try:
            # Observers learn from the lock that we live, and from its content whom to stop.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(process).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def workdir(self, purpose: str) -> Path:
        """A new directory under a name that nobody could have prepared."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{_WORKDIRS}{purpose}-", dir=self.path))

    def reserve(self) -> None:
        """Take space for the work of an agent, which may fill the disk."""
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            descriptor = os.open(self.path / RESERVE, flags, 0o600)
            with os.fdopen(descriptor, "wb"):
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)

    def free_space(self, workdir: Path, *, fewest_free_bytes: int = FEWEST_FREE_BYTES) -> None:
        """Give the space back; on a full disk, empty the home and temporary folder in `workdir`."""
        with suppress(OSError):
            found = os.statvfs(self.path)
            (self.path / RESERVE).unlink(missing_ok=True)
            has_files = found.f_files == 0 or found.f_favail >= FEWEST_FREE_FILES
            if found.f_bavail * found.f_frsize < fewest_free_bytes or not has_files:
                for folder in (workdir / HOME, workdir / TEMPORARY):
                    _remove(folder)
                    folder.mkdir(exist_ok=True)

    def reopen(self) -> None:
        """Restore modes that a command changed: Landlock does not govern them."""
        with suppress(OSError):
            files.reopen_path(self.path)
        for path in self.path.glob("*"):
            with suppress(OSError):  # our other threads make and remove files here
                files.reopen(path, 0o700 if path.is_dir() else 0o600)

    def clear(self) -> None:
        """Remove all work directories; one that cannot be removed only costs space."""
        for workdir in self.path.glob(f"{_WORKDIRS}*"):
            _remove(workdir)


def _remove(folder: Path) -> None:
    with suppress(RecursionError):  # a thousand folders, one in the other
        shutil.rmtree(folder, ignore_errors=True)


def _lock(descriptor: int) -> bool:
    for number in range(_LOCK_TRIES):
        if number:
            time.sleep(_LOCK_SECONDS)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
