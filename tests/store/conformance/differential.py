"""The store in memory beside the real one; both must give the same at every step.

The real batches and reads of `gateway.store` run on a SQLite database of the run; each batch is
loaded from both and compared, field by field. This is how we know that `store` is faithful.
"""

import dataclasses
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

import aiosqlite

from gateway.domain.deliveries.outbox import DeliveryKey, Outbox
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import ProviderRealm
from gateway.store.records import DeliveryFailure, DueDeliveries, PendingEndpoint
from gateway.store.sqlite import rows
from gateway.store.sqlite.admin.instance import open_instance
from gateway.store.sqlite.batch import Batch
from gateway.store.sqlite.clocks import PULSE
from gateway.store.sqlite.endpoints import read_directory
from gateway.store.sqlite.launching import UPSERT_REALMS, watched_realms
from gateway.store.sqlite.migrations import migrate
from gateway.store.sqlite.reads import SQLiteReads
from tests.store.conformance.memory import Commit, MemoryReads, MemoryStore, MemoryTransaction
from tests.store.conformance.tables import Tables

T = TypeVar("T")


class Differ(AssertionError):
    """The two stores say different things."""


class DifferentialStores:
    """Opens stores on one pair of tables and database: a restart finds what was committed."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._reader = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        migrate(self._database)
        self._database.execute("PRAGMA foreign_keys = ON")
        open_instance(self._database, lambda: "inst_1", take_over=False, key_ids=())

    def close(self) -> None:
        """Closes the database."""
        self._reader.close()
        self._database.close()

    def __call__(self, tables: Tables, commit: Commit) -> "DifferentialStore":
        """A store for one life of the gateway."""
        if self._database.in_transaction:
            self._database.rollback()
        return DifferentialStore(tables, commit, self._database, self._reader)


class DifferentialStore(MemoryStore):
    """Transactions on both."""

    def __init__(
        self,
        tables: Tables,
        commit: Commit,
        database: sqlite3.Connection,
        reader: sqlite3.Connection,
    ) -> None:
        super().__init__(tables, commit)
        self.database = database
        self.connection = cast(aiosqlite.Connection, _Direct(database))
        self.reads = DifferentialReads(
            tables, SQLiteReads(cast(aiosqlite.Connection, _Direct(reader)))
        )

    def transaction(self) -> "DifferentialTransaction":
        """Begins on both."""
        return DifferentialTransaction(self, self.tables)

    def finish(self, view: UnitOfWork) -> None:
        """Commits on both."""
        self.tables.apply(view)
        self.database.commit()


class DifferentialTransaction(MemoryTransaction):
    """Loads from both and compares; writes to both."""

    def __init__(self, store: DifferentialStore, tables: Tables) -> None:
        super().__init__(store)
        self._both = store
        self._tables = tables
        self._batch: Batch | None = None

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The loaded rows, equal in both stores."""
        self._copy_what_was_left_out()
        view = await super().load(needs, policy, now)
        realms = await watched_realms(self._both.connection)
        directory = await read_directory(self._both.connection)
        self._batch = Batch(self._both.connection, self._tables.seq, realms, directory)
        self._batch.begin()
        other = await self._batch.load(needs, policy, now)
        for field in dataclasses.fields(UnitOfWork):
            ours, theirs = getattr(view, field.name), getattr(other, field.name)
            _compare(field.name, _plain(ours), _plain(theirs))
        return view

    async def write(self, view: UnitOfWork) -> None:
        """To both."""
        await super().write(view)
        assert self._batch is not None
        await self._batch.write(view)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._batch is not None:
                await self._batch.begun
            await super().__aexit__(kind, error, traceback)
        finally:
            if self._both.database.in_transaction:
                self._both.database.rollback()

    def _copy_what_was_left_out(self) -> None:
        """Pulses and calls that changed nothing else were written into the tables alone."""
        database, tables = self._both.database, self._tables
        database.execute(PULSE, {"at": tables.pulse_at})
        database.executemany(UPSERT_REALMS, [*map(rows.REALM.values, tables.realms.values())])


class DifferentialReads(MemoryReads):
    """Reads both."""

    def __init__(self, tables: Tables, other: SQLiteReads) -> None:
        super().__init__(tables)
        self._other = other

    async def due_tasks(self, now: int, limit: int) -> list[str]:
        """Tasks with a clock that is due."""
        other = await self._other.due_tasks(now, limit)
        return _compare("due tasks", await super().due_tasks(now, limit), other)

    async def due_jobs(self, now: int, limit: int) -> list[str]:
        """Jobs whose lease has run out."""
        other = await self._other.due_jobs(now, limit)
        return _compare("due jobs", await super().due_jobs(now, limit), other)

    async def next_claimable(
        self, providers: Sequence[ProviderRealm], now: int, project: str = ""
    ) -> int | None:
        """The time at which the next unclaimable job becomes claimable."""
        other = await self._other.next_claimable(providers, now)
        _compare("next job", self.next_work(providers, now, lambda _: True), other)
        return await super().next_claimable(providers, now)

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> dict[str, DueDeliveries]:
        """What may be sent to each of these endpoints."""
        other = await self._other.due_deliveries(now, endpoint_ids)
        return _compare("due deliveries", await super().due_deliveries(now, endpoint_ids), other)

    async def pending_endpoints(self, after: str, limit: int) -> list[PendingEndpoint]:
        """The next endpoints behind this one that are owed something."""
        other = await self._other.pending_endpoints(after, limit)
        return _compare("owed endpoints", await super().pending_endpoints(after, limit), other)

    async def new_deliveries(self, after: DeliveryKey, limit: int) -> list[tuple[DeliveryKey, str]]:
        """The next deliveries behind this one, in the order of their events."""
        other = await self._other.new_deliveries(after, limit)
        return _compare("new deliveries", await super().new_deliveries(after, limit), other)

    async def newest_event(self) -> int:
        """The number of the newest event."""
        return _compare(
            "newest event", await super().newest_event(), await self._other.newest_event()
        )

    async def failures(self) -> list[DeliveryFailure]:
        """As it says."""
        own = await super().failures()
        other = await self._other.failures()
        _compare("failures", sorted(own, key=str), sorted(other, key=str))
        return own


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

    async def execute_fetchall(self, statement: str, params: Any = ()) -> list[Any]:
        """All rows."""
        return self._database.execute(statement, params).fetchall()


def _plain(value: Any) -> Any:
    """The comparable part of a value, without the sweeps that are left out."""
    if isinstance(value, Outbox):
        return vars(value) | {"directory": value.directory.recipients("default", "ep_1")}
    if isinstance(value, dict):
        rows = {k: each for k, each in value.items() if not _is_sweep(each) and not _is_sweep(k)}
        return rows, _fields(value)
    if isinstance(value, list):
        return [each for each in value if not _is_sweep(each)]
    return _fields(value) if dataclasses.is_dataclass(value) else value


def _fields(value: object) -> dict[str, Any]:
    """The fields of a part, each as above."""
    fields = getattr(value, "__dict__", {})
    return {name: _plain(each) for name, each in fields.items() if name != "_key"}


def _is_sweep(value: object) -> bool:
    return str(value.id if isinstance(value, Job) else value).startswith("job_sweep-")


def _compare(what: str, ours: T, other: object) -> T:
    if ours != other:
        raise Differ(f"{what}:\n  memory {ours}\n  SQLite {other}")
    return ours
