"""Connections of a gateway to its server: kept, looked at before they are used, and made again at
once when they are lost."""

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, Self

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.pq import TransactionStatus

from gateway.store.postgres.connection import bounded, configure
from gateway.store.shielding import to_its_end
from gateway.store.sql.rows import Row

CONNECT_SECONDS: Final = 3
"""Seconds until a server that does not answer counts as out of reach."""
REFUSED_FOR: Final = 0.5
"""Seconds after a failed try in which nobody else tries: callers are answered at once."""
MOST_SECONDS: Final = 12
"""Seconds that a statement or a batch may take; then its connection is cut: an answer that does not
come must not hold up everybody behind it."""
KEPT_FOR: Final = 3_600
"""Seconds until a connection is made anew."""
KEPT_FOR_READING: Final = 1
"""Seconds for one to a server that takes no writes: another one may take over from it."""

IS_READ_ONLY: Final = "SHOW transaction_read_only"
OPTIONS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "slipgate",
    # A server that vanishes, as when its machine dies, is noticed in 10 s.
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

Connect = Callable[..., Awaitable["AsyncConnection[Row]"]]
"""Makes a connection, as `AsyncConnection.connect` does."""


class _Kept(NamedTuple):
    connection: "AsyncConnection[Row]"
    until: float
    """The time of the event loop until which it may be used."""


class Pool:
    """Up to so many connections, each made when somebody needs it."""

    def __init__(
        self,
        url: str,
        most: int = 1,
        *,
        is_for_reads: bool = False,
        seconds: float = MOST_SECONDS,
        connect: Connect = AsyncConnection.connect,
    ) -> None:
        self._url = url
        self._new = connect
        self._seconds = seconds
        self._is_for_reads = is_for_reads
        """Statements commit by themselves, and a server that takes no writes will do."""
        self._places = asyncio.Semaphore(most)
        self._idle: list[_Kept] = []
        self._failed_at: float | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().connection.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["AsyncConnection[Row]"]:
        """A connection that nobody else has, for some seconds; what is not committed when the
        block ends is rolled back.

        Raises:
            psycopg.OperationalError: the server cannot be reached.
            psycopg.errors.ReadOnlySqlTransaction: it takes no writes.
        """
        async with self._places:
            kept = await self._take() or await self._make()
            try:
                with bounded(kept.connection, self._seconds):
                    yield kept.connection
            except errors.ReadOnlySqlTransaction:
                await kept.connection.close()  # the next one looks for a server that takes writes
                raise
            finally:
                await to_its_end(self._give_back(kept))

    async def connect(self) -> "AsyncConnection[Row]":
        """A new connection, to a server that takes writes.

        Raises:
            psycopg.OperationalError: there is none.
        """
        return await self._connect("read-write")

    async def _take(self) -> _Kept | None:
        """One that is idle, and that the server has not closed."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            kept = self._idle.pop()
            if kept.until > now and _is_open(kept.connection):
                return kept
            await kept.connection.close()
        return None

    async def _make(self) -> _Kept:
        clock = asyncio.get_running_loop().time
        if self._failed_at is not None and clock() - self._failed_at < REFUSED_FOR:
            raise psycopg.OperationalError("no connection just now")
        try:
            kept = await self._find(clock())
        except psycopg.OperationalError:
            self._failed_at = clock()
            raise
        self._failed_at = None
        return kept

    async def _find(self, now: float) -> _Kept:
        try:
            return _Kept(await self.connect(), now + KEPT_FOR)
        except errors.ConnectionTimeout:
            raise
        except psycopg.OperationalError:
            # A server that takes no writes is there nevertheless; else this fails as the first did.
            found = await self._connect("any")
        if await _is_writable(found):
            return _Kept(found, now + KEPT_FOR)
        if self._is_for_reads:
            return _Kept(found, now + KEPT_FOR_READING)
        await found.close()
        raise errors.ReadOnlySqlTransaction("the server takes no writes")

    async def _connect(self, wanted: str) -> "AsyncConnection[Row]":
        connection = await self._new(
            self._url, **OPTIONS, target_session_attrs=wanted, autocommit=True
        )
        try:
            await configure(connection)
            await connection.set_autocommit(self._is_for_reads)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _give_back(self, kept: _Kept) -> None:
        status = kept.connection.pgconn.transaction_status
        if status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            with suppress(psycopg.Error):
                await kept.connection.rollback()
        if kept.connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append(kept)
        else:
            await kept.connection.close()


async def _is_writable(connection: "AsyncConnection[Row]") -> bool:
    cursor = await connection.execute(IS_READ_ONLY)
    is_read_only = await cursor.fetchone()
    await connection.rollback()
    return is_read_only == ("off",)


def _is_open(connection: "AsyncConnection[Row]") -> bool:
    """False if the server has closed it meanwhile; no message goes there."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        with suppress(psycopg.OperationalError):
            # First the last message of the server, then the end of the stream behind it.
            connection.pgconn.consume_input()
            connection.pgconn.consume_input()
    return not connection.closed
