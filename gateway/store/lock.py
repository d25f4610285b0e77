"""The lock that keeps a second gateway off the same file."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.domain.errors import Refused


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Holds the database for one gateway; the kernel lets go of it when the process dies.

    Raises:
        Refused: `database_locked`, another gateway holds it.
    """
    with database.with_name(database.name + ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Refused(
                "database_locked",
                f"Another gateway holds {database}.",
                hint="Stop it first, or use another SLIPGATE_DATABASE_URL.",
            ) from exc
        yield
