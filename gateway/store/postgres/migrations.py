"""Migrations of a PostgreSQL database; a table of it has the schema version."""

from typing import Any, Final, LiteralString

from psycopg import Connection

from gateway.store.migration_files import Migrations

_MIGRATIONS: Final = Migrations(
    "postgres", remedy="Run `slipgate migrate`, or start a gateway of this version once."
)
newest: Final = _MIGRATIONS.newest

# Gateways that start at the same time come one after the other: the first one migrates. The number
# stands for nothing; it is held to the end of the transaction, behind PgBouncer too.
LOCK: Final = "SELECT pg_advisory_xact_lock(7535494127)"
IS_THERE: Final = "SELECT to_regclass('schema_version') IS NOT NULL"
VERSION: Final = "SELECT coalesce(max(number), 0) FROM schema_version"
SET_VERSION: Final = """
INSERT INTO schema_version (one, number) VALUES (1, %(number)s)
ON CONFLICT (one) DO UPDATE SET number = excluded.number"""


def version(database: Connection[Any]) -> int:
    """The schema version of a database; 0 is an empty one."""
    if not _number(database, IS_THERE):
        return 0
    return _number(database, VERSION)


def pending(database: Connection[Any]) -> list[int]:
    """The migrations that have not been applied yet.

    Raises:
        ApiError: `newer_schema`, the database was made by a newer program.
    """
    return _MIGRATIONS.pending(version(database))


def require_newest(database: Connection[Any]) -> None:
    """For those who read and may not migrate.

    Raises:
        ApiError: `newer_schema`, or `older_schema`.
    """
    _MIGRATIONS.require_newest(version(database))


def migrate(database: Connection[Any]) -> list[int]:
    """Applies what is pending and says which; each file is one transaction, so the connection has
    to be one that commits by itself."""
    wanted = pending(database)
    applied: list[int] = []
    for number, file in _MIGRATIONS.files():
        if number not in wanted:
            continue
        with database.transaction():
            database.execute(LOCK)
            if number in pending(database):
                database.execute(file.read_text())
                database.execute(SET_VERSION, {"number": number})
                applied.append(number)
    return applied


def _number(database: Connection[Any], statement: LiteralString) -> int:
    ((value,),) = database.execute(statement).fetchall()
    return int(value)
