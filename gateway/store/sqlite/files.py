"""The files of a database: the lock that keeps a second gateway off them, and the watch for a file
that is removed or replaced under a gateway that runs, with acknowledged data in it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.operations.gauges import DiskSpace

Identity = tuple[int, int]
"""Device and inode."""
_VERSIONS: Final = slice(18, 20)
"""Of the header of the file: how it is written and read. Source: SQLite, file format 1.3.3."""
_WAL: Final = b"\x02\x02"
_NO_WAL: Final = b"\x01\x01"
BESIDE: Final = ("-wal", "-shm")


class DatabaseLost(Unavailable):
    """The files are no longer those that were opened: every request is refused."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The files of the database were changed under the gateway: {reason}.",
            code="database_replaced",
            retry_after=30,
        )


class DatabaseFiles:
    """The file of a database, its log and its index; make it once they are open."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """`descriptor` is of the file itself, open as long as this is used."""
        self._path = path.resolve()
        self._descriptor = descriptor
        self._known = {name: _identity(name) for name in self._names}
        self._size = 0
        self.lost: str | None = None
        """The change that was seen; once set, it stays."""

    @property
    def _names(self) -> tuple[Path, ...]:
        return tuple(self._path.with_name(self._path.name + end) for end in ("", *BESIDE))

    @property
    def wal_bytes(self) -> int:
        """The length of the log."""
        try:
            return self._names[1].stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def disk(self) -> DiskSpace:
        """The disk that the database is on."""
        found = os.fstatvfs(self._descriptor)
        return DiskSpace(
            free=found.f_bavail * found.f_frsize, total=found.f_blocks * found.f_frsize
        )

    def look(self) -> str | None:
        """The change to the files, if any; five calls of the kernel, some microseconds."""
        self.lost = self.lost or next(self._changes(), None)
        return self.lost

    def check(self) -> None:
        """Called before each read.

        Raises:
            DatabaseLost: something was done to the files.
        """
        if self.lost is not None:
            raise DatabaseLost(self.lost)

    def is_overwritten(self) -> bool:
        """True if another database was written into the file itself: nothing of ours may be
        written into it then."""
        size = os.fstat(self._descriptor).st_size
        is_cut = size < self._size  # it only grows
        self._size = max(self._size, size)
        header = os.pread(self._descriptor, _VERSIONS.stop, 0)
        return is_cut or header[_VERSIONS] != _WAL

    def _changes(self) -> Iterator[str]:
        if self.is_overwritten():
            yield f"another database was written into {self._path.name}"
        for name, known in self._known.items():
            found = _identity(name)
            if found != known:
                yield f"{name.name} was {'removed' if found is None else 'replaced'}"


@contextmanager
def exclusive(database: Path) -> Iterator[int]:
    """Holds the database for one gateway; the kernel lets go of it when the process dies. Yields a
    descriptor of the file.

    Not inside a block that has the database open, nor left before that is closed: with the first
    descriptor of a file that a process closes, the kernel drops the locks SQLite has on it.

    Raises:
        ApiError: `database_locked`, another gateway holds it.
    """
    file = database.resolve()
    # By its name first: a file that another connection of this process may have open is not
    # touched. Then by the file itself: links and mounts give it names in other folders.
    name = os.open(file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(name, f"Another gateway holds {database}.")
        held = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(
                held,
                f"Another gateway holds the file that {database} is a name of: it was started "
                "with another name of it, a hard link or a mount.",
            )
            yield held
        finally:
            os.close(held)
    finally:
        os.close(name)


def _lock(descriptor: int, refusal: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise ApiError(
            "database_locked",
            refusal,
            hint="Stop it first, or use another SLIPGATE_DATABASE_URL.",
        ) from exc


def check_log(path: Path, descriptor: int) -> None:
    """Before the database is opened: a log that lies beside a restored backup belongs to another
    database, and SQLite would write it into this one.

    Raises:
        ApiError: `stale_wal`.
    """
    log = path.resolve().with_name(path.resolve().name + BESIDE[0])
    header = os.pread(descriptor, _VERSIONS.stop, 0)
    if header[_VERSIONS] == _NO_WAL and log.exists() and log.stat().st_size:
        raise ApiError(
            "stale_wal",
            f"{path} is a restored backup, and {log.name} beside it is the log of the database "
            "that was there before.",
            hint=f"Remove {log.name} and {path.name}-shm, then start again.",
        )


def _identity(name: Path) -> Identity | None:
    try:
        found = name.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
