"""A new database of each store, for tests of both."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import aiosqlite

from gateway.store.postgres.store import PooledReads, connected, open_postgres
from gateway.store.protocol import Store
from gateway.store.sql.connection import Query
from gateway.store.sql.reads import SQLReads
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
