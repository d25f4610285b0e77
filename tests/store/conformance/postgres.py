"""The PostgreSQL store under test: its batches and reads, on connections that wait for answers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import psycopg

from gateway.domain.launching.realm import Realm
from gateway.store.postgres.admin.database import PostgresDatabase
from gateway.store.postgres.batch import PostgresBatch
from gateway.store.postgres.connection import STATEMENTS_KEPT, PostgresConnection, adapt
from gateway.store.protocol import Transaction
from gateway.store.sql import rows
from gateway.store.sql.admin.instance import OPEN_LEDGER
from gateway.store.sql.clocks import PULSE
from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.launching import UPSERT_REALMS
from gateway.store.sql.reads import SQLReads
from gateway.store.sql.rows import Params, Row
from tests.postgres.databases import new_database


@contextmanager
def open_postgres_under_test(_folder: Path) -> Iterator["PostgresUnderTest"]:
    """A new database on the server of the tests."""
    with (
        new_database() as url,
        psycopg.connect(url) as database,
        psycopg.connect(url, autocommit=True) as reader,
    ):
        for connection in (database, reader):
            adapt(connection.adapters)
            connection.prepared_max = STATEMENTS_KEPT
        PostgresDatabase(reader).write(OPEN_LEDGER, [{"instance_id": "inst_1"}])
        yield PostgresUnderTest(database, reader)


class PostgresUnderTest:
    """`StoreUnderTest` on two connections."""

    def __init__(
        self, database: "psycopg.Connection[Row]", reader: "psycopg.Connection[Row]"
    ) -> None:
        self._database = database
        self._writer = PostgresDatabase(database)
        self._copied: tuple[int | None, list[Realm]] | None = None
        self.reads = SQLReads(_direct(reader), PostgresBatch)

    def begin(self) -> Transaction:
        """A write transaction; the one gateway of a run is always alone."""
        return PostgresBatch(_direct(self._database), is_alone=True)

    def commit(self) -> None:
        """Commits it."""
        self._database.commit()
        self._copied = None

    async def settle(self) -> None:
        """It begins with its first statement."""

    def rollback(self) -> None:
        """Rolls it back, unless it was committed."""
        self._database.rollback()

    def copy(self, pulse_at: int | None, realms: Iterable[Realm]) -> None:
        """Writes what is left out of the runs' commits."""
        left_out = (pulse_at, [*realms])
        if left_out != self._copied:
            self._writer.write(PULSE, [{"at": pulse_at}])
            self._writer.write(UPSERT_REALMS, [*map(rows.REALM.values, left_out[1])])
            self._database.commit()
            self._copied = left_out


class _Direct:
    """A connection without a loop: what it is asked is done at once."""

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self._database = PostgresDatabase(connection)

    def pipeline(self) -> AbstractAsyncContextManager[None]:
        """Nothing is sent ahead."""
        return nullcontext()

    async def execute(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> "_Answer":
        """Executes a statement; a cursor to its rows."""
        return _Answer(self._database.fetch(statement, params))

    async def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows."""
        return self._database.fetch(statement, params)

    async def write(self, statement: str, rows: Sequence[Params]) -> None:
        """Executes the statement for each row."""
        self._database.write(statement, rows)


class _Answer(list[Row]):
    """The rows of a statement as a cursor gives them."""

    async def fetchall(self) -> list[Row]:
        """All rows."""
        return self


def _direct(connection: "psycopg.Connection[Row]") -> PostgresConnection:
    return cast(PostgresConnection, _Direct(connection))
