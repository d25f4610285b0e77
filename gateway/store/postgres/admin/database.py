"""A PostgreSQL database as an operator's command uses it, beside gateways that may run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import Connection, ConnectionInfo, IsolationLevel, RawCursor, RawServerCursor, errors

from gateway.domain.kernel.errors import ApiError
from gateway.store.postgres.batch import BOUNDS, ENDPOINTS_CHANGED, LOCK_ALONE
from gateway.store.postgres.connection import adapt, reason
from gateway.store.postgres.dialect import translated
from gateway.store.sql.admin.database import Damaged
from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.rows import Params, Row

OPTIONS: Final[Mapping[str, Any]] = {
    "application_name": "slipgate operator",
    "target_session_attrs": "read-write",
    "connect_timeout": 5,
    "autocommit": True,
    # Behind a pooler the next transaction may be on another connection.
    "prepare_threshold": None,
}
OPERATORS_BOUNDS: Final = BOUNDS | {"idle": "10s", "time": "0"}
"""A command may change all rows in one statement."""
OLDEST_SERVER: Final = 140_000
AT_ONCE: Final = 1_000
"""Rows of a long result in memory."""
IS_THERE: Final = "SELECT to_regclass(:name) IS NOT NULL"
SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', :timeout, false)"
RAISE_VERSION: Final = "UPDATE ledger SET version = version + :by"

_NUMBERS: Final = count(1)


@contextmanager
def connected(url: str) -> Iterator["Connection[Row]"]:
    """A connection that commits by itself.

    Raises:
        ApiError: the server does not answer, or refuses the connection or a statement.
    """
    try:
        with psycopg.connect(url, **OPTIONS) as connection:
            adapt(connection.adapters)
            _check_server(connection.info)
            yield connection
    except errors.InsufficientPrivilege as exc:
        raise ApiError(
            "database_forbidden",
            f"The role of SLIPGATE_DATABASE_URL may not do this: {reason(exc)}.",
            hint="Make it the owner of the database: ALTER DATABASE name OWNER TO role.",
        ) from exc
    except errors.LockNotAvailable as exc:
        raise ApiError(
            "database_busy",
            f"A transaction of somebody else holds the database: {reason(exc)}.",
            hint="Run the command again. `SELECT * FROM pg_stat_activity` shows who holds it.",
        ) from exc
    except psycopg.OperationalError as exc:
        raise ApiError(
            "database_unreachable",
            f"The database cannot be used: {reason(exc)}.",
            hint="Check its address, in SLIPGATE_DATABASE_URL or the option: that the server runs "
            "and takes connections, that the database is there (createdb makes it), and that user "
            "and password are right. The password stands there, in ~/.pgpass or in PGPASSWORD.",
        ) from exc


def _check_server(info: ConnectionInfo) -> None:
    if info.server_version < OLDEST_SERVER:
        raise ApiError(
            "database_too_old",
            f"The server is PostgreSQL {info.server_version // 10_000}.",
            hint=f"Use PostgreSQL {OLDEST_SERVER // 10_000} or newer.",
        )
    encoding = info.parameter_status("server_encoding")
    if encoding not in {"UTF8", None}:  # a pooler may not say it
        raise ApiError(
            "database_encoding",
            f"The database has the encoding {encoding}: it cannot keep every text.",
            hint="Make another one: createdb --encoding=UTF8 --template=template0 name",
        )


class PostgresDatabase:
    """`Database` on a connection that commits by itself."""

    def __init__(self, connection: "Connection[Row]") -> None:
        self._connection = connection

    def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Sequence[Row]:
        """All rows."""
        native = translated(statement)
        with RawCursor(self._connection) as cursor:
            cursor.execute(native.text, native.values(params))
            return cursor.fetchall() if cursor.description else ()

    def stream(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterator[Row]:
        """All rows, some thousand at a time."""
        native = translated(statement)
        try:
            with RawServerCursor(self._connection, f"slipgate_{next(_NUMBERS)}") as cursor:
                cursor.itersize = AT_ONCE
                yield from cursor.execute(native.text, native.values(params))
        except (errors.DataCorrupted, errors.IndexCorrupted) as exc:
            raise Damaged(reason(exc)) from exc

    def write(self, statement: str, rows: Sequence[Params]) -> int:
        """Executes the statement for each row; the number of rows that it changed."""
        native = translated(statement)
        with RawCursor(self._connection) as cursor:
            cursor.executemany(native.text, [native.values(row) for row in rows])
            return cursor.rowcount

    def has(self, table: str) -> bool:
        """True if there is such a table."""
        return bool(self.fetch(IS_THERE, {"name": table})[0][0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Beside no batch of a gateway; afterwards they all read again what they have cached."""
        with self._connection.transaction():
            self.fetch(LOCK_ALONE, OPERATORS_BOUNDS)
            yield
            self.write(RAISE_VERSION, [{"by": ENDPOINTS_CHANGED}])

    @contextmanager
    def waiting(self, timeout: str) -> Iterator[None]:
        """Bounds the time that each statement of the block waits for a lock."""
        self.fetch(SET_LOCK_TIMEOUT, {"timeout": timeout})
        try:
            yield
        finally:
            self.fetch(SET_LOCK_TIMEOUT, {"timeout": "0"})

    @contextmanager
    def moment(self) -> Iterator[None]:
        """One moment of the database for all reads of the block."""
        self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        try:
            with self._connection.transaction():
                yield
        finally:
            if not self._connection.closed:
                self._connection.isolation_level = self._connection.read_only = None
