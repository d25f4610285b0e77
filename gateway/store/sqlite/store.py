"""The embedded store: one SQLite file in WAL mode, one writing connection, readers beside it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Final

import aiosqlite
import structlog

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.operations.gauges import DiskSpace
from gateway.store.ownership import ALONE, Subscriber
from gateway.store.peers import NO_PEERS
from gateway.store.shielding import to_its_end
from gateway.store.sql.admin.instance import INSTANCE
from gateway.store.sql.admin.master_keys import check_master_keys, check_needed_keys
from gateway.store.sql.admin.opening import Opening
from gateway.store.sql.batch import NOTHING
from gateway.store.sql.reads import SQLReads
from gateway.store.sqlite.admin.database import SQLiteDatabase
from gateway.store.sqlite.admin.instance import open_instance
from gateway.store.sqlite.admin.upgrade import upgrade
from gateway.store.sqlite.batch import LedgerRow, SQLiteBatch, SQLiteRead
from gateway.store.sqlite.connection import (
    Reader,
    WritingConnection,
    translated_errors,
    writing_connection,
)
from gateway.store.sqlite.files import DatabaseFiles, DatabaseLost, check_log, exclusive

log = structlog.get_logger(__name__)

REMEDY: Final = (
    "restart the gateway: until then it takes and tells nothing. Never remove, move or replace "
    "slipgate.db or the -wal and -shm files beside it while a gateway runs"
)
BUSY_MS: Final = 5_000
"""The wait of a batch for the lock of an operator's command (milliseconds)."""


class SQLiteStore:
    """Transactions for the ledger, and `reads` for everybody else."""

    def __init__(
        self,
        writer: WritingConnection,
        reads: SQLReads,
        *,
        instance_id: str,
        opening: Opening,
        files: DatabaseFiles,
        busy_ms: int,
    ) -> None:
        self.reads = reads
        self.written = 0
        """Transactions that were committed."""
        self.instance_id = instance_id
        self.ownership = ALONE
        self.peers = NO_PEERS
        self.opening = opening
        self._writer = writer
        self._cached = NOTHING
        self._newest: LedgerRow | None = None
        self._files = files
        self._busy_ms = busy_ms
        self._turn = asyncio.Lock()

    @property
    def wal_bytes(self) -> int:
        """The length of the log."""
        return self._files.wal_bytes

    @property
    def disk(self) -> DiskSpace:
        """The disk that the database is on."""
        return self._files.disk

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SQLiteBatch]:
        """Commits when the block ends, rolls back when it raises; one after the other.

        Raises:
            Unavailable: disk full, I/O error, locked, files replaced: nothing was written.
        """
        async with self._turn:
            await self._check_files()
            with translated_errors(is_write=True):
                batch = SQLiteBatch(self._writer, self._cached, self._newest)
                self._newest = None
                try:
                    yield batch
                    await to_its_end(self._commit(batch))
                except BaseException:
                    await to_its_end(self._roll_back(batch))
                    raise

    async def _roll_back(self, batch: SQLiteBatch) -> None:
        await batch.settle()
        await self._writer.rollback()

    async def _commit(self, batch: SQLiteBatch) -> None:
        await self._writer.run(batch.commit)
        self.written += 1
        # A log that was taken away while it was written: what was committed is saved now, or the
        # callers are not told that it is stored.
        await self._save_lost()
        self._cached, self._newest = batch.cached.committed(), batch.newest

    async def keep_session(self, _subscriber: Subscriber) -> None:
        """There are no other gateways."""

    def leave(self) -> None:
        """There is nobody to leave anything to."""

    async def keep_months(self, now: int, *, is_wanted: bool) -> None:
        """A file has no partitions."""

    async def checkpoint(self) -> None:
        """Moves the log into the file and cuts it, as far as other readers allow, without a wait.

        Raises:
            Unavailable: as `transaction`.
        """
        async with self._turn:
            await self._check_files()
            with translated_errors():
                await to_its_end(self._checkpoint(busy_ms=0))

    async def _check_files(self) -> None:
        await self._save_lost()
        if self._files.lost is not None:
            raise DatabaseLost(self._files.lost)

    async def _save_lost(self) -> None:
        """Saves acknowledged data in a log that has lost its name: our descriptor still holds it.
        It goes into the file, unless that holds another database now.

        Raises:
            DatabaseLost: it cannot be saved.
        """
        reason = None if self._files.lost is not None else self._files.look()
        if reason is None:
            return
        is_saved = not self._files.is_overwritten() and await self._save()
        log.error("database.replaced", reason=reason, saved=is_saved, do=REMEDY)
        if not is_saved:
            raise DatabaseLost(reason)

    async def _save(self) -> bool:
        try:
            return await to_its_end(self._checkpoint(busy_ms=self._busy_ms))
        except sqlite3.Error as exc:
            log.warning("database.not_saved", reason=str(exc))
            return False

    async def _checkpoint(self, *, busy_ms: int) -> bool:
        """True if all of the log is in the file now."""
        await self._writer.execute(f"PRAGMA busy_timeout = {busy_ms}")
        ((is_busy, frames, moved),) = await self._writer.execute_fetchall(
            "PRAGMA wal_checkpoint(TRUNCATE)"
        )
        await self._writer.execute(f"PRAGMA busy_timeout = {self._busy_ms}")
        return not is_busy or frames == moved


def sqlite_reads(
    connection: aiosqlite.Connection, check: Callable[[], None] = lambda: None
) -> SQLReads:
    """All reads, on this connection; `check` raises when its files were replaced."""
    return SQLReads(Reader(connection, check), SQLiteRead)


@asynccontextmanager
async def open_sqlite(
    path: Path,
    *,
    new_instance_id: Callable[[], str],
    take_over: bool = False,
    keyring: Keyring | None = None,
    busy_ms: int = BUSY_MS,
) -> AsyncIterator[SQLiteStore]:
    """Locks, upgrades and opens the file. A new database gets an instance id, a restored backup
    another one unless it takes over. `busy_ms` is how long a lock of others is waited for;
    `keyring` are the master keys, None for one that seals and opens nothing.

    Raises:
        ApiError: another gateway holds it, its schema is newer than this program, there is no room
            for the backup that an upgrade begins with, or it was used with another master key.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        descriptor = stack.enter_context(exclusive(path))
        check_log(path, descriptor)
        opening = _open_file(path, new_instance_id, take_over=take_over, keyring=keyring)
        opening.log()
        writer = await stack.enter_async_context(writing_connection(path))
        await _prepare(writer, busy_ms)
        ((instance_id,),) = await writer.execute_fetchall(INSTANCE)
        reader = await stack.enter_async_context(
            aiosqlite.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        )
        await reader.execute(f"PRAGMA busy_timeout = {busy_ms}")
        files = DatabaseFiles(path, descriptor)
        yield SQLiteStore(
            writer,
            sqlite_reads(reader, files.check),
            instance_id=instance_id,
            opening=opening,
            files=files,
            busy_ms=busy_ms,
        )


def _open_file(
    path: Path, new_instance_id: Callable[[], str], *, take_over: bool, keyring: Keyring | None
) -> Opening:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        upgraded = upgrade(database, path)
        if keyring is not None:
            file = SQLiteDatabase(database)
            with file.transaction():
                check_master_keys(file, keyring)
                check_needed_keys(file, keyring)
        key_ids = () if keyring is None else keyring.ids
        restored = open_instance(database, new_instance_id, take_over=take_over, key_ids=key_ids)
    return Opening(upgraded=upgraded, restored=restored)


async def _prepare(writer: WritingConnection, busy_ms: int) -> None:
    for pragma in (
        f"busy_timeout = {busy_ms}",
        "synchronous = FULL",
        "foreign_keys = ON",
        # 8 MB: with 16 a gateway that has delivered 20,000 messages is 8 MB larger and no faster.
        "cache_size = -8000",
        # 16 MB of log between two checkpoints: the leaves that every batch writes are copied once.
        "wal_autocheckpoint = 4000",
        # Else the log keeps for good the length it had while somebody read an old state of it.
        "journal_size_limit = 16384000",
    ):
        await writer.execute(f"PRAGMA {pragma}")
