"""A new database of each store, for tests of both."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypedDict, Unpack

import aiosqlite
import pytest

from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.ledger import Ledger, wall_clock
from gateway.store import opened
from gateway.store.administration import audit, open_database
from gateway.store.location import Location
from gateway.store.postgres.pool import Pool
from gateway.store.postgres.store import PooledReads, open_postgres
from gateway.store.protocol import Store
from gateway.store.sql.connection import Query
from gateway.store.sql.reads import SQLReads
from gateway.store.sql.rows import Row
from gateway.store.sqlite.connection import Reader
from gateway.store.sqlite.store import open_sqlite
from tests import databases
from tests.postgres import warm
from tests.postgres.cluster import MISSING, programs
from tests.postgres.reused import ReusedDatabase, reused_database

STORES: Final = ("sqlite", "postgres")
INSTANCE: Final = "inst_1"
NAMES: Final = {"ins": INSTANCE, "gw": "gw_1"}


class OpenedStore(opened.OpenedStore, Protocol):
    """A store with its reads."""

    @property
    def reads(self) -> SQLReads:
        """Its reads."""


class Opening(TypedDict, total=False):
    """Options that both stores have."""

    keyring: Keyring
    take_over: bool
    busy_ms: int


Fill = Callable[[Location], object]
NewId = Callable[[str], str]


class NewDatabase(Protocol):
    """A database of the test's own, empty at first."""

    @property
    def location(self) -> Location:
        """As commands open it."""

    @property
    def url(self) -> str:
        """As it is set."""

    def fill(self, make: Fill) -> None:
        """Makes what a new database has in many tests; it is made once, and copied from there."""

    def rows(self) -> Mapping[str, Sequence[Row]]:
        """All rows by table."""

    def holds(self, text: bytes) -> bool:
        """True if it is stored in the open."""

    def opened(
        self, *, new_id: NewId = NAMES.__getitem__, **opening: Unpack[Opening]
    ) -> AbstractAsyncContextManager[OpenedStore]:
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

    _filled: Final[dict[Fill, bytes]] = {}

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.location: Final = path
        self.url: Final = f"sqlite:///{path}"

    def fill(self, make: Fill) -> None:
        """A copy of the file."""
        if self.path.exists():
            make(self.path)
            return
        databases.new_database(self.path)
        if make in self._filled:
            self.path.write_bytes(self._filled[make])
        else:
            make(self.path)
            self._filled[make] = self.path.read_bytes()

    def rows(self) -> Mapping[str, Sequence[Row]]:
        """All rows by table."""
        return _rows(self.location, "SELECT name FROM pragma_table_list WHERE type = 'table'")

    def holds(self, text: bytes) -> bool:
        """True if it is in a file, be it in a place that was given up."""
        files = self.path.parent.glob(f"{self.path.name}*")
        return any(text in file.read_bytes() for file in files)

    def opened(
        self, *, new_id: NewId = NAMES.__getitem__, **opening: Unpack[Opening]
    ) -> AbstractAsyncContextManager[OpenedStore]:
        """As `gateway.store.sqlite` opens it."""
        if not self.path.exists():
            databases.new_database(self.path)
        return open_sqlite(self.path, new_instance_id=partial(new_id, "ins"), **opening)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Query]:
        """A connection beside those of the store."""
        async with aiosqlite.connect(self.path) as connection:
            yield Reader(connection).fetch

    def problems(self) -> Sequence[str]:
        """The findings of the audit of a file."""
        return audit(self.location).problems


class ServerDatabase:
    """A database of a PostgreSQL server."""

    def __init__(self, database: ReusedDatabase) -> None:
        self.location: Final = database.address
        self.url: Final = database.address.url
        self.fill: Final = database.fill

    def rows(self) -> Mapping[str, Sequence[Row]]:
        """All rows by table."""
        return _rows(self.location, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")

    def holds(self, text: bytes) -> bool:
        """True if it is in a row."""
        cells = (cell for rows in self.rows().values() for row in rows for cell in row)
        return any(
            text in (cell if isinstance(cell, bytes) else f"{cell}".encode()) for cell in cells
        )

    def opened(
        self, *, new_id: NewId = NAMES.__getitem__, **opening: Unpack[Opening]
    ) -> AbstractAsyncContextManager[OpenedStore]:
        """As `gateway.store.postgres` opens it, on connections that other tests have used."""
        return open_postgres(
            self.url,
            new_instance_id=partial(new_id, "ins"),
            gateway_id=new_id("gw"),
            connect=warm.connect,
            **opening,
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Query]:
        """A connection beside those of the store."""
        async with Pool(self.url, is_for_reads=True, connect=warm.connect) as pool:
            yield PooledReads(pool).fetch

    def problems(self) -> Sequence[str]:
        """The findings of the audit of a server's database."""
        return audit(self.location).problems


@contextmanager
def new_database(store: str, folder: Path) -> Iterator[NewDatabase]:
    """An empty database of this store; a file is in the folder."""
    if store == "sqlite":
        yield FileDatabase(folder / "slipgate.db")
    elif programs() is None:
        pytest.skip(MISSING)
    else:
        with reused_database() as reused:
            yield ServerDatabase(reused)


def _rows(location: Location, tables: str) -> Mapping[str, Sequence[Row]]:
    with open_database(location) as database:
        names = [name for (name,) in database.fetch(tables) if not name.startswith("sqlite_")]
        return {name: database.fetch(f'SELECT * FROM "{name}"') for name in names}  # noqa: S608 - our tables
