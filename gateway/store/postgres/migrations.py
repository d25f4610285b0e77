"""Migrations of a PostgreSQL database; a table of it has the schema version."""

from typing import Any, Final

from psycopg import Connection

from gateway.domain.kernel.errors import ApiError
from gateway.store.sql.migrations import Migrations, oldest_after

_MIGRATIONS: Final = Migrations(
    "postgres", remedy="Run `slipgate migrate`, or start a gateway of this version once."
)
newest: Final = _MIGRATIONS.newest

# Gateways that start at the same time come one after the other: the first one migrates. The number
# stands for nothing; it is held to the end of the transaction, behind PgBouncer too.
LOCK: Final = "SELECT pg_advisory_xact_lock(7535494127)"
# Not by to_regclass, which may not know yet what was made while we waited for the lock.
IS_THERE: Final = """
SELECT EXISTS (
    SELECT 1 FROM pg_class WHERE relname = 'schema_version' AND pg_table_is_visible(oid))"""
VERSION: Final = """
SELECT coalesce(max(number), 0), coalesce(max(oldest), 0) FROM schema_version"""
SET_VERSION: Final = """
INSERT INTO schema_version (one, number, oldest) VALUES (1, %(number)s, %(oldest)s)
ON CONFLICT (one) DO UPDATE SET
    number = excluded.number, oldest = greatest(schema_version.oldest, excluded.oldest)"""
# A change of a table waits for those who read it, and everybody behind it: not for long.
SET_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '5s'"

SESSION: Final = "slipgate session "
"""The name of a gateway's session at the server; the schema that it knows follows."""
SESSIONS: Final = """
SELECT substr(application_name, 18) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'slipgate session %%'"""


def session_name() -> str:
    """The name of this program's sessions at the server."""
    return f"{SESSION}{newest()}"


def version(database: Connection[Any]) -> int:
    """The schema version of a database; 0 is an empty one."""
    return _version(database)[0]


def pending(database: Connection[Any]) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: `newer_schema`, the database is for newer programs.
    """
    return _MIGRATIONS.pending(*_version(database))


def require_newest(database: Connection[Any], *, may_be_newer: bool = False) -> None:
    """For those who read and may not migrate; a newer schema with which this program works is
    enough for those who do not look at all of it.

    Raises:
        ApiError: `newer_schema`, or `older_schema`.
    """
    number, oldest = _version(database)
    _MIGRATIONS.require_newest(number, oldest if may_be_newer else None)


def migrate(database: Connection[Any]) -> list[int]:
    """Applies what is pending and says which; each file is one transaction, so the connection has
    to be one that commits by itself. Gateways of the version before may run meanwhile.

    Raises:
        ApiError: `newer_schema`; `older_gateways`, some that run would not work with the new one.
    """
    wanted = pending(database)
    applied: list[int] = []
    for number, file in _MIGRATIONS.files():
        if number not in wanted:
            continue
        with database.transaction():
            database.execute(LOCK)
            database.execute(SET_LOCK_TIMEOUT)
            if number in pending(database):
                oldest = oldest_after(file)
                check_sessions(database, oldest)
                database.execute(file.read_text())
                database.execute(SET_VERSION, {"number": number, "oldest": oldest})
                applied.append(number)
    return applied


def check_sessions(database: Connection[Any], oldest: int) -> None:
    """Checks that every gateway that runs knows this schema, or a newer one.

    Raises:
        ApiError: `older_gateways`.
    """
    known = [int(name) for (name,) in database.execute(SESSIONS) if name.isdecimal()]
    left_behind = [number for number in known if number < oldest]
    if left_behind:
        raise ApiError(
            "older_gateways",
            f"{len(left_behind)} gateways that run on this database are more than one version "
            "older than this program: they would not work with its schema.",
            hint="Stop them, or bring them to the version before this one first.",
        )


def _version(database: Connection[Any]) -> tuple[int, int]:
    """The schema, and the oldest whose programs work with it; 0 is an empty one."""
    ((is_there,),) = database.execute(IS_THERE).fetchall()
    if not is_there:
        return 0, 0
    ((number, oldest),) = database.execute(VERSION).fetchall()
    return int(number), int(oldest)
