"""PostgreSQL's connections, and its errors in the words of the domain."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, AsyncPipeline, AsyncRawCursor, IsolationLevel, errors
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from gateway.domain.kernel.errors import Conflict, ReadOnly, Unavailable
from gateway.store.postgres.dialect import translated
from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.rows import Params, Row

STATEMENTS_KEPT: Final = 500
"""Prepared statements of one connection; there are fewer."""

# All statements seek some rows, as on SQLite. Tables that are new look small to the planner, which
# keeps the plans that it makes for them: it would read whole tables until they are analyzed, a
# minute later. Nor does it know that one endpoint may be owed more than all others: by a bitmap it
# would read all of that, where the first in the order of an index are wanted (63 ms against 2). To
# compile a statement, or to start processes for it, takes longer than to run it.
# A client that vanishes, as when its machine dies, is noticed in 10 s.
SETTINGS: Final = """
SELECT set_config(name, setting, false)
FROM (VALUES
    ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),
    ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),
    ('jit', 'off'), ('max_parallel_workers_per_gather', '0'),
    ('tcp_keepalives_idle', '4'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3')
) AS ours (name, setting)"""

PID: Final = "SELECT pg_backend_pid()"

_CONFLICTS: Final = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
)
_BUSY: Final = (
    errors.IdleInTransactionSessionTimeout,
    errors.LockNotAvailable,
    errors.QueryCanceled,
)
_UNWRITABLE: Final[dict[type[psycopg.Error], str]] = {
    errors.DiskFull: "The disk is full.",
    errors.ReadOnlySqlTransaction: "The database is read-only.",
}


class _Text(StrDumper):
    """Text; PostgreSQL keeps no U+0000, and gets U+FFFD for it."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\ufffd"))


class _Flag(Int8Dumper):
    """True and False as they are stored: 1 and 0."""

    def dump(self, obj: bool) -> Buffer | None:
        return b"1" if obj else b"0"


class _WholeNumber(Loader):
    """Sums of whole numbers, which PostgreSQL calculates as `numeric`."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text else int(text)


def adapt(adapters: AdaptersMap) -> None:
    """Sets how values are sent and read: each type of the records has one type of the schema."""
    adapters.register_dumper(str, _Text)
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _Flag)
    adapters.register_loader("numeric", _WholeNumber)


async def configure(connection: "AsyncConnection[Row]") -> None:
    """Prepares a new connection of a gateway, which commits by itself."""
    adapt(connection.adapters)
    connection.prepared_max = STATEMENTS_KEPT
    # One row of a batch is locked after the other: each statement sees what was committed by then.
    await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
    if await is_pooled(connection):
        # Settings and prepared statements would be those of other clients, too.
        connection.prepare_threshold = None
    else:
        await connection.execute(SETTINGS)


async def is_pooled(connection: "AsyncConnection[Row]") -> bool:
    """True if a pooler is between us and the server: each names another process of the server."""
    cursor = await connection.execute(PID)
    return await cursor.fetchone() != (connection.info.backend_pid,)


@contextmanager
def bounded(connection: "AsyncConnection[Row]", seconds: float) -> Iterator[None]:
    """Breaks the connection if the block takes longer: whoever waits for the server is told that it
    is lost."""
    timer = asyncio.get_running_loop().call_later(seconds, _cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: "AsyncConnection[Row]") -> None:
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as end,
    ):
        end.shutdown(socket.SHUT_RDWR)


def reason(exc: psycopg.Error) -> str:
    """The first line of the server's words; they have no password."""
    return f"{exc}".partition("\n")[0].rstrip(".")


@contextmanager
def translated_errors(*, is_write: bool = False, is_alone: bool = False) -> Iterator[None]:
    """Raises `Conflict` for what another try may get through, `ReadOnly` if nothing can be written,
    and `Unavailable` for a server that does not answer; a constraint that is broken by a batch
    which is alone stays what it is: a bug."""
    try:
        yield
    except (errors.DiskFull, errors.ReadOnlySqlTransaction) as exc:
        words = _UNWRITABLE[type(exc)]
        raise (ReadOnly if is_write else Unavailable)(words) from exc
    except errors.UniqueViolation as exc:
        if is_alone or not is_write:
            raise
        raise Conflict from exc
    except _CONFLICTS as exc:
        raise Conflict from exc
    except _BUSY as exc:
        raise Unavailable("The database is busy.") from exc
    except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
        raise Unavailable("The database cannot be reached.") from exc


def _ended(pipeline: "AsyncPipeline") -> PQGen[None]:
    """Ends a pipeline with a Sync. Behind an error that comes before the rest, the rest is read,
    too: a pipeline with answers on their way cannot be left."""
    try:
        yield from pipeline._sync_gen()  # noqa: SLF001
    except psycopg.Error:
        with suppress(psycopg.Error):
            yield from pipeline._fetch_gen(flush=False)  # noqa: SLF001
        raise


class PostgresConnection:
    """A connection that runs shared statements; the transaction translates its errors."""

    def __init__(self, connection: "AsyncConnection[Row]") -> None:
        self._connection = connection

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[None]:
        """Sends what is executed inside without a wait for each answer; all of them have come, and
        none was an error, when the block is left."""
        async with self._connection.pipeline() as pipeline:
            # psycopg would end it with a Sync and a Flush, and a Flush stops the server's clock of
            # idle_in_transaction_session_timeout: a gateway that stands still would hold its locks.
            pipeline._exit_gen = partial(_ended, pipeline)  # type: ignore[method-assign]  # noqa: SLF001
            yield

    async def execute(
        self, statement: str, params: Mapping[str, Any] = NO_PARAMS
    ) -> "AsyncRawCursor[Row]":
        """Executes a statement; a cursor to its rows."""
        native = translated(statement)
        return await AsyncRawCursor(self._connection).execute(native.text, native.values(params))

    async def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterable[Row]:
        """All rows."""
        return await (await self.execute(statement, params)).fetchall()

    async def write(self, statement: str, rows: Sequence[Params]) -> None:
        """Executes the statement for each row."""
        native = translated(statement)
        values = [native.values(row) for row in rows]
        await AsyncRawCursor(self._connection).executemany(native.text, values)
