"""The store on a PostgreSQL server: one writing connection for each gateway, readers beside it."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection

from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.keyring import Keyring
from gateway.store.ownership import Subscriber
from gateway.store.postgres.batch import BUSY_MS, PostgresBatch, PostgresRead
from gateway.store.postgres.connection import PostgresConnection, translated_errors
from gateway.store.postgres.months import keep_months
from gateway.store.postgres.opening import prepare
from gateway.store.postgres.outcome import was_committed
from gateway.store.postgres.pool import Connect, Pool
from gateway.store.postgres.server_peers import PostgresPeers
from gateway.store.postgres.session import Session
from gateway.store.postgres.session_connection import connected
from gateway.store.shielding import to_its_end
from gateway.store.sql.batch import NOTHING
from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.reads import SQLReads
from gateway.store.sql.rows import Params, Row

log = structlog.get_logger(__name__)

READERS: Final = 4
"""Connections for reads; a slow page must not hold up the loops."""
ASK_AT_THE_END: Final = 5
"""Seconds after the stop in which a commit without an answer is still asked for."""


class PooledReads:
    """A connection of the pool for each read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows."""
        with translated_errors():
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
        self.peers = PostgresPeers(PooledReads(readers).fetch, session)
        self.disk = None
        self.wal_bytes = 0
        self.written = 0
        """Transactions that were committed."""
        self._writers = writers
        self._readers = readers
        self._busy_ms = busy_ms
        self._batches = count(1)
        self._cached = NOTHING
        self._is_alone = False
        """The last batch has to be decided again, with no other beside it."""
        self._turn = asyncio.Lock()
        self._left_at = math.inf

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresBatch]:
        """Commits when the block ends, rolls back when it raises; one after the other.

        Raises:
            Conflict: another gateway was faster, or the batch has to be alone: decide it again.
            Unavailable: the server cannot be reached, or cannot write: nothing was written.
        """
        async with self._turn:
            self.ownership.begin()
            is_alone, self._is_alone = self._is_alone, False
            try:
                with translated_errors(is_write=True, is_alone=is_alone):
                    async with self._writers.connection() as connection:
                        writer = PostgresConnection(connection)
                        batch = PostgresBatch(
                            writer,
                            self._cached,
                            is_alone=is_alone,
                            sender=self.ownership.gateway_id,
                            busy_ms=self._busy_ms,
                            number=next(self._batches),
                        )
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
        self._left_at = time.monotonic()

    async def checkpoint(self) -> None:
        """The server does that by itself."""

    async def keep_months(self, now: int, *, is_wanted: bool) -> None:
        """Makes and drops partitions of the events; `now` in milliseconds."""
        with translated_errors():
            async with self._readers.connection() as connection:
                await keep_months(connection, now, is_wanted=is_wanted)

    async def _commit(self, connection: "AsyncConnection[Row]", batch: PostgresBatch) -> None:
        try:
            await connection.commit()
        except psycopg.Error as exc:
            if batch.proof is None:
                raise
            log.warning("database.commit_unanswered", error=type(exc).__name__)
            connect = self._writers.connect
            if not await was_committed(connect, batch.proof, is_over=self._is_over):
                if connection.closed:
                    raise Conflict from exc
                raise
        self.written += 1
        self._cached = batch.cached.committed()

    def _is_over(self) -> bool:
        return time.monotonic() - self._left_at > ASK_AT_THE_END


@asynccontextmanager
async def open_postgres(
    url: str,
    *,
    new_instance_id: Callable[[], str],
    gateway_id: str,
    session_url: str | None = None,
    take_over: bool = False,
    keyring: Keyring | None = None,
    busy_ms: int = BUSY_MS,
    connect: Connect = AsyncConnection.connect,
) -> AsyncIterator[PostgresStore]:
    """Upgrades and opens the database. A new one gets an instance id, a restored copy another one
    unless it takes over. `gateway_id` is this gateway's name among the others; `session_url` is the
    way around a pooler; `keyring` are the master keys, None for one that seals and opens nothing;
    `busy_ms` is how long a lock of others is waited for; `connect` makes the connections that last.

    Raises:
        ApiError: the server does not answer, the schema is newer than this program, the database
            was used with another master key, or sessions would go through a pooler.
    """
    instance_id, opening = await asyncio.to_thread(
        prepare,
        url,
        keyring,
        new_instance_id,
        session_url=session_url,
        take_over=take_over,
    )
    opening.log()
    async with (
        Pool(url, connect=connect) as writers,
        Pool(url, READERS, is_for_reads=True, connect=connect) as readers,
    ):
        session = Session(
            session_url or url, gateway_id, connect=partial(connected, connect=connect)
        )
        yield PostgresStore(
            writers, readers, instance_id=instance_id, session=session, busy_ms=busy_ms
        )
