"""The store on a PostgreSQL server: one writing connection for each gateway, readers beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.keyring import Keyring
from gateway.store.ownership import Subscriber
from gateway.store.postgres.batch import BUSY_MS, PostgresBatch, PostgresRead
from gateway.store.postgres.connection import PostgresConnection, configure, in_our_words
from gateway.store.postgres.months import keep_months
from gateway.store.postgres.opening import prepare
from gateway.store.postgres.session import Session
from gateway.store.shielding import to_its_end
from gateway.store.sql.batch import NOTHING
from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.reads import SQLReads
from gateway.store.sql.rows import Params, Row

log = structlog.get_logger(__name__)

READERS: Final = 4
"""Connections for reads; a slow page must not hold up the loops."""
CONNECT_SECONDS: Final = 5
"""Seconds until a server that does not answer counts as out of reach."""
ASK_AGAIN: Final = 0.5
"""Seconds between two questions about a commit without an answer."""

OPTIONS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "target_session_attrs": "read-write",
    "application_name": "slipgate",
}

OUTCOME: Final = "SELECT pg_xact_status(CAST(:transaction_id AS xid8))"

Pool: TypeAlias = "AsyncConnectionPool[AsyncConnection[Row]]"


class PooledReads:
    """A connection of the pool for each read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows; asked once more on a new connection if the old one was lost."""
        with in_our_words():
            async with self._pool.connection() as connection:
                try:
                    return await PostgresConnection(connection).fetch(statement, params)
                except psycopg.OperationalError:
                    if not connection.closed:
                        raise
            async with self._pool.connection() as connection:
                return await PostgresConnection(connection).fetch(statement, params)

    async def write(self, statement: str, rows: Sequence[Params]) -> None:
        """Refused: these connections only read."""
        raise NotImplementedError(statement)


class PostgresStore:
    """Transactions for the ledger, and `reads` for everybody else."""

    def __init__(
        self, writers: Pool, readers: Pool, *, instance_id: str, session: Session, busy_ms: int
    ) -> None:
        self.reads = SQLReads(PooledReads(readers), PostgresRead)
        self.instance_id = instance_id
        self.ownership = session
        self.disk = None
        self.wal_bytes = 0
        self.written = 0
        """Transactions that were committed."""
        self._writers = writers
        self._readers = readers
        self._busy_ms = busy_ms
        self._cached = NOTHING
        self._is_alone = False
        """The last batch has to be decided again, with no other beside it."""
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresBatch]:
        """Commits when the block ends, rolls back when it raises; one after the other.

        Raises:
            Conflict: another gateway was faster, or the batch has to be alone: decide it again.
            Unavailable: the server cannot be reached, or cannot write: nothing was written.
        """
        async with self._turn:
            is_alone, self._is_alone = self._is_alone, False
            try:
                with in_our_words(is_write=True, is_alone=is_alone):
                    async with self._writers.connection() as connection:
                        writer = PostgresConnection(connection)
                        batch = PostgresBatch(
                            writer,
                            self._cached,
                            is_alone=is_alone,
                            sender=self.ownership.gateway_id,
                            busy_ms=self._busy_ms,
                        )
                        # Leaving this block commits, or rolls back what it has raised.
                        yield batch
                        await to_its_end(self._commit(connection, batch))
            except Conflict:
                self._is_alone = True
                raise

    async def keep_session(self, subscriber: Subscriber) -> None:
        """Keeps the place of this gateway among the others until `leave`."""
        await self.ownership.run(subscriber)

    def leave(self) -> None:
        """Gives the work of this gateway to the others, as its attempts end."""
        self.ownership.close()

    async def checkpoint(self) -> None:
        """The server does that by itself."""

    async def keep_months(self, now: int, *, is_wanted: bool) -> None:
        """Makes and drops partitions of the events; `now` in milliseconds."""
        with in_our_words():
            async with self._readers.connection() as connection:
                await keep_months(connection, now, is_wanted=is_wanted)

    async def _commit(self, connection: "AsyncConnection[Row]", batch: PostgresBatch) -> None:
        try:
            await connection.commit()
        except psycopg.OperationalError as exc:
            number = batch.transaction_id
            if number is None or not connection.closed:
                raise
            log.warning("database.commit_unanswered", transaction=number)
            if not await self._was_committed(number):
                raise Conflict from exc
        self.written += 1
        self._cached = batch.cached.committed()

    async def _was_committed(self, transaction_id: str) -> bool:
        """The outcome of a commit whose answer was lost; asked until there is one, for nobody may
        be told that nothing was stored when it was."""
        while True:
            try:
                async with self._readers.connection() as connection:
                    asked = {"transaction_id": transaction_id}
                    ((status,),) = await PostgresConnection(connection).fetch(OUTCOME, asked)
            except psycopg.errors.InvalidParameterValue:
                return False  # a server that took over has never heard of it
            except psycopg.OperationalError:
                status = "in progress"
            if status != "in progress":
                return bool(status == "committed")
            await asyncio.sleep(ASK_AGAIN)


@asynccontextmanager
async def open_postgres(
    url: str,
    *,
    new_instance_id: Callable[[], str],
    gateway_id: str,
    take_over: bool = False,
    keyring: Keyring | None = None,
    busy_ms: int = BUSY_MS,
) -> AsyncIterator[PostgresStore]:
    """Upgrades and opens the database. A new one gets an instance id, a restored copy another one
    unless it takes over. `gateway_id` is this gateway's name among the others; `keyring` are the
    master keys, None for one that seals and opens nothing; `busy_ms` is how long a lock of others
    is waited for.

    Raises:
        ApiError: the server does not answer, the schema is newer than this program, or the database
            was used with another master key.
    """
    instance_id, opening = await asyncio.to_thread(
        prepare, url, keyring, new_instance_id, take_over=take_over
    )
    opening.log()
    async with connected(url) as writers, connected(url, READERS, autocommit=True) as readers:
        session = Session(url, gateway_id)
        yield PostgresStore(
            writers, readers, instance_id=instance_id, session=session, busy_ms=busy_ms
        )


@asynccontextmanager
async def connected(url: str, most: int = 1, *, autocommit: bool = False) -> AsyncIterator[Pool]:
    """A pool of up to so many connections."""
    pool = AsyncConnectionPool(
        url,
        kwargs={**OPTIONS, "autocommit": autocommit},
        min_size=1,
        max_size=most,
        timeout=CONNECT_SECONDS,
        # A pool that cannot connect tries again when it is asked next, and not ever more slowly.
        reconnect_timeout=1,
        configure=configure,
        open=False,
    )
    async with pool:
        yield pool
