"""The SQLite store under test: its batches and reads, without a thread."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import aiosqlite

from gateway.domain.launching.realm import Realm
from gateway.store.protocol import Transaction
from gateway.store.sql import rows
from gateway.store.sql.clocks import PULSE
from gateway.store.sql.launching import UPSERT_REALMS
from gateway.store.sqlite.admin.instance import open_instance
from gateway.store.sqlite.batch import SQLiteBatch
from gateway.store.sqlite.connection import WritingConnection
from gateway.store.sqlite.migrations import migrate
from gateway.store.sqlite.store import sqlite_reads


@contextmanager
def open_sqlite_under_test(folder: Path) -> Iterator["SQLiteUnderTest"]:
    """A new database in this folder."""
    path = folder / "conformance.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as database,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        migrate(database)
        database.execute("PRAGMA foreign_keys = ON")
        open_instance(database, lambda: "inst_1", take_over=False, key_ids=())
        yield SQLiteUnderTest(database, reader)


class SQLiteUnderTest:
    """`StoreUnderTest` on two connections."""

    def __init__(self, database: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        self._database = database
        self._connection = cast(WritingConnection, _Direct(database))
        self._batch: SQLiteBatch | None = None
        self.reads = sqlite_reads(cast(aiosqlite.Connection, _Direct(reader)))

    def begin(self) -> Transaction:
        """A write transaction."""
        self._batch = SQLiteBatch(self._connection)
        return self._batch

    def commit(self) -> None:
        """Commits it."""
        assert self._batch is not None
        self._batch.commit(self._database)

    async def settle(self) -> None:
        """Waits until it has begun."""
        if self._batch is not None:
            await self._batch.read_ledger()

    def rollback(self) -> None:
        """Rolls it back, unless it was committed."""
        if self._database.in_transaction:
            self._database.rollback()

    def copy(self, pulse_at: int | None, realms: Iterable[Realm]) -> None:
        """Writes what is left out of the runs' commits."""
        self._database.execute(PULSE, {"at": pulse_at})
        self._database.executemany(UPSERT_REALMS, [*map(rows.REALM.values, realms)])


class _Direct:
    """A connection without a thread: what it is asked is done at once."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    async def execute(self, statement: str, params: Any = ()) -> object:
        """One statement."""
        return self._database.execute(statement, params)

    async def executemany(self, statement: str, params: Any) -> object:
        """One statement for each row."""
        return self._database.executemany(statement, params)

    async def run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Any work."""
        return work(self._database)

    async def execute_fetchall(self, statement: str, params: Any = ()) -> list[Any]:
        """All rows."""
        return self._database.execute(statement, params).fetchall()
