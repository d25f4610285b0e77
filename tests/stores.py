"""A new database of each store, for tests of both."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import aiosqlite

from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.ledger import Ledger, wall_clock
from gateway.store.postgres.admin.audit import audit as postgres_audit
from gateway.store.postgres.store import PooledReads, connected, open_postgres
from gateway.store.protocol import Store
from gateway.store.sql.connection import Query
from gateway.store.sql.reads import SQLReads
from gateway.store.sqlite.admin.audit import audit as sqlite_audit
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.store import open_sqlite
from tests.databases import new_database

INSTANCE: Final = "inst_1"


class OpenedStore(Store, Protocol):
    """A store with its reads."""

    @property
    def reads(self) -> SQLReads:
        """Its reads."""


class NewDatabase(Protocol):
    """A database of the test's own, empty at first."""

    def opened(self) -> AbstractAsyncContextManager[OpenedStore]:
        """The store on it; opened again, it goes on there."""

    def connected(self) -> AbstractAsyncContextManager[Query]:
        """A connection that runs single statements."""

    def problems(self) -> Sequence[str]:
        """The broken invariants."""


@asynccontextmanager
async def ledger_on(
    database: NewDatabase, clock: Callable[[], int] = wall_clock
) -> AsyncIterator[tuple[Ledger, OpenedStore]]:
    """A ledger that runs on the database, and its store."""
    async with (
        database.opened() as store,
        Ledger(store, Policy(key_id="k1"), clock=clock).running() as ledger,
    ):
        yield ledger, store


async def write(store: Store, unit: UnitOfWork) -> None:
    """Writes as the ledger does: once more and alone, if the first try asks for that."""
    try:
        async with store.transaction() as batch:
            await batch.write(unit, ())
    except Conflict:
        async with store.transaction() as batch:
            await batch.write(unit, ())


class FileDatabase:
    """A file of SQLite."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def opened(self) -> AbstractAsyncContextManager[OpenedStore]:
        """As `gateway.store.sqlite` opens it."""
        if not self.path.exists():
            new_database(self.path)
        return open_sqlite(self.path, new_instance_id=lambda: INSTANCE)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Query]:
        """A connection beside those of the store."""
        async with aiosqlite.connect(self.path) as connection:
            yield Reader(connection).fetch

    def problems(self) -> Sequence[str]:
        """The findings of the audit of a file."""
        return sqlite_audit(self.path).problems


class ServerDatabase:
    """A database of a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def opened(self) -> AbstractAsyncContextManager[OpenedStore]:
        """As `gateway.store.postgres` opens it."""
        return open_postgres(self.url, new_instance_id=lambda: INSTANCE, gateway_id="gw_1")

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Query]:
        """A connection beside those of the store."""
        async with connected(self.url, autocommit=True) as pool:
            yield PooledReads(pool).fetch

    def problems(self) -> Sequence[str]:
        """The findings of the audit of a server's database."""
        return postgres_audit(self.url).problems
