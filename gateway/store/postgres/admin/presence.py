"""Gateways of a database, as an operator's command sees them: each holds a lock while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg.errors import LockNotAvailable

from gateway.domain.kernel.errors import ApiError
from gateway.store.postgres.admin.database import PostgresDatabase
from gateway.store.postgres.admin.upgrade import opened
from gateway.store.postgres.opening import NOWHERE, SET_HOME
from gateway.store.postgres.session_connection import LOCKS, PRESENT, SESSIONS, UNLOCKS
from gateway.store.sql.admin.resealing import check_current

LOCK: Final = "SELECT pg_advisory_lock(CAST(:sessions AS integer), CAST(:lock AS integer))"
LOCK_TIMEOUT: Final = "3s"


def check_running_gateways(url: str, current: str) -> None:
    """Gateways that run with other keys could not read what is sealed anew.

    Raises:
        ApiError: `other_master_key`.
    """
    with opened(url) as database:
        locks = database.fetch(LOCKS, {"sessions": SESSIONS})
        if any(lock == PRESENT for lock, _ in locks):
            check_current(database, current)


@contextmanager
def without_gateways(database: PostgresDatabase) -> Iterator[None]:
    """Keeps gateways out until the block ends; one that was killed has gone after some seconds.

    Raises:
        ApiError: `database_locked`, one runs.
    """
    try:
        with database.waiting(LOCK_TIMEOUT):
            database.fetch(LOCK, {"sessions": SESSIONS, "lock": PRESENT})
    except LockNotAvailable as exc:
        raise ApiError(
            "database_locked",
            "A gateway runs on this database, or it is being copied.",
            hint="Stop all gateways of this database first.",
        ) from exc
    try:
        yield
    finally:
        database.fetch(UNLOCKS, {"sessions": SESSIONS, "locks": [PRESENT]})


def note_recovery(url: str) -> None:
    """Makes the next start treat the database as a restored copy: it is where it was, and yet as it
    was at an earlier moment.

    Raises:
        ApiError: a gateway runs, or the database has another schema.
    """
    with opened(url) as database, without_gateways(database), database.transaction():
        database.write(SET_HOME, [{"home": NOWHERE}])
