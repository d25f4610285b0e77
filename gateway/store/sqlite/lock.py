"""The lock that keeps a second gateway off the same file, by whatever name it is called."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.domain.kernel.errors import ApiError


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
