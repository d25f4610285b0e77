"""A PostgreSQL database before its first use: upgraded, known as it is here, its keys checked."""

from collections.abc import Callable
from typing import Final

from psycopg import Connection

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.store.postgres.admin.database import PostgresDatabase, connected
from gateway.store.postgres.connection import PID
from gateway.store.postgres.migrations import migrate, version
from gateway.store.postgres.session_connection import REMEDY
from gateway.store.sql.admin.database import Database
from gateway.store.sql.admin.instance import INSTANCE, open_instance
from gateway.store.sql.admin.marks import take_back
from gateway.store.sql.admin.master_keys import check_master_keys, check_needed_keys
from gateway.store.sql.admin.opening import Opening, Upgraded
from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.rows import Row

HERE: Final = """
SELECT CAST(server.system_identifier AS text) || '/' || CAST(home.oid AS text)
FROM pg_control_system() AS server CROSS JOIN pg_database AS home
WHERE home.datname = current_database()"""
HOME: Final = "SELECT home FROM ledger"
FORGET: Final = """
DELETE FROM commits WHERE at < CAST(extract(epoch FROM now()) * 1000 AS bigint) - 86400000"""
"""Gateways whose last commit is a day old."""
SET_HOME: Final = "UPDATE ledger SET home = :home"
LOOKS: Final = 3
"""Comparisons of two connections: a pooler chooses among those that are free."""
NOWHERE: Final = ""
"""The home of a database that was recovered to an earlier moment: it is a copy of itself."""


def prepare(
    url: str,
    keyring: Keyring | None,
    new_instance_id: Callable[[], str],
    *,
    session_url: str | None = None,
    take_over: bool,
) -> tuple[str, Opening]:
    """Upgrades the database and opens its ledger; gateways that start together come one after the
    other. Gives the instance id. A new database gets one, and so does a copy on another server or
    under another name, unless it takes over. `keyring` are the master keys, None for a gateway that
    seals and opens nothing; `session_url` is the way around a pooler.

    Raises:
        ApiError: the server does not answer, the schema is newer than this program, the database
            was used with another master key, or sessions would go through a pooler.
    """
    with connected(url) as connection:
        before = version(connection)
        upgraded = Upgraded(before=before, applied=tuple(migrate(connection)))
        database = PostgresDatabase(connection)
        with database.transaction():
            if keyring is not None:
                check_master_keys(database, keyring)
                check_needed_keys(database, keyring)
            restored = open_instance(
                database,
                new_instance_id,
                is_copy=take_back(database, take_over=take_over) or is_copy(database),
                take_over=take_over,
                key_ids=() if keyring is None else keyring.ids,
            )
            ((here,),) = database.fetch(HERE)
            database.write(SET_HOME, [{"home": here}])
            database.write(FORGET, [NO_PARAMS])
            ((instance_id,),) = database.fetch(INSTANCE)
        if session_url in {None, url}:
            _check_process(connection, url)
    if session_url not in {None, url}:
        check_sessions(session_url)
    return str(instance_id), Opening(upgraded=upgraded, restored=restored)


def check_sessions(url: str) -> None:
    """Checks that a connection to this address has a process of the server to itself. Through a
    pooler that gives one to each transaction, two gateways would hold the same locks, and both
    deliver the same.

    Raises:
        ApiError: `session_pooled`, or the server does not answer.
    """
    with connected(url) as connection:
        _check_process(connection, url)


def _check_process(one: "Connection[Row]", url: str) -> None:
    mine = _process(one)
    if mine != one.info.backend_pid and _is_shared(one, mine, url):
        raise ApiError(
            "session_pooled",
            "SLIPGATE_DATABASE_URL goes through a pooler that shares connections between "
            "transactions: what one gateway does at a time, and what gateways tell each "
            "other, needs one of its own.",
            hint=REMEDY,
        )


def _is_shared(one: "Connection[Row]", mine: int, url: str) -> bool:
    """True if the process of this connection serves another one, too."""
    with connected(url) as other:
        for _ in range(LOOKS):
            with other.transaction():
                is_shared = _process(other) == mine
            if is_shared or _process(one) != mine:
                return True
    return False


def _process(connection: "Connection[Row]") -> int:
    ((process,),) = connection.execute(PID).fetchall()
    return int(process)


def is_copy(database: Database) -> bool:
    """True if the database was made by a restore: it was elsewhere, or was another in its place."""
    ((here,),) = database.fetch(HERE)
    return any(home not in {None, here} for (home,) in database.fetch(HOME))
