"""A store beside the store in memory; both must give the same at every step.

Each batch is loaded from both and compared, field by field. This shows that the store in memory is
faithful, and that a store does what the others do.
"""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import ProviderRealm, Realm
from gateway.store.protocol import Reads, Transaction
from gateway.store.records import DeliveryFailure, DueDeliveries, PendingEndpoint
from tests.simulation.frontend import CALLBACK
from tests.store.conformance.memory import Commit, MemoryReads, MemoryStore, MemoryTransaction
from tests.store.conformance.tables import Tables

T = TypeVar("T")


class Differ(AssertionError):
    """The two stores say different things."""


class StoreUnderTest(Protocol):
    """A store whose transactions are driven step by step."""

    @property
    def reads(self) -> Reads:
        """Its reads, on a connection of their own."""

    def begin(self) -> Transaction:
        """A write transaction."""

    def commit(self) -> None:
        """Commits it."""

    async def settle(self) -> None:
        """Waits until it has begun."""

    def rollback(self) -> None:
        """Rolls it back, unless it was committed."""

    def copy(self, pulse_at: int | None, realms: Iterable[Realm]) -> None:
        """Writes what is left out of the runs' commits."""


class DifferentialStores:
    """Opens stores on one pair of tables and store: a restart finds what was committed."""

    def __init__(self, other: StoreUnderTest) -> None:
        self._other = other

    def __call__(self, tables: Tables, commit: Commit) -> "DifferentialStore":
        """A store for one life of the gateway."""
        self._other.rollback()
        return DifferentialStore(tables, commit, self._other)


class DifferentialStore(MemoryStore):
    """Transactions on both."""

    def __init__(self, tables: Tables, commit: Commit, other: StoreUnderTest) -> None:
        super().__init__(tables, commit)
        self.other = other
        self.reads = DifferentialReads(tables, other.reads)

    def transaction(self) -> "DifferentialTransaction":
        """Begins on both."""
        return DifferentialTransaction(self)

    def finish(self, view: UnitOfWork) -> None:
        """Commits on both."""
        self.tables.apply(view)
        self.other.commit()


class DifferentialTransaction(MemoryTransaction):
    """Loads from both and compares; writes to both."""

    def __init__(self, store: DifferentialStore) -> None:
        super().__init__(store)
        self._tables = store.tables
        self._other = store.other
        self._batch: Transaction | None = None

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The loaded rows, equal in both stores."""
        # Pulses and calls that changed nothing else were written into the tables alone.
        self._other.copy(self._tables.pulse_at, self._tables.realms.values())
        view = await super().load(needs, policy, now)
        self._batch = self._other.begin()
        other = await self._batch.load(needs, policy, now)
        for field in dataclasses.fields(UnitOfWork):
            ours, theirs = getattr(view, field.name), getattr(other, field.name)
            _compare(field.name, _plain(ours), _plain(theirs))
        return view

    async def write(self, unit: UnitOfWork, topics: Collection[str], /) -> None:
        """To both."""
        await super().write(unit, topics)
        assert self._batch is not None
        await self._batch.write(unit, topics)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._other.settle()
            await super().__aexit__(kind, error, traceback)
        finally:
            self._other.rollback()


class DifferentialReads(MemoryReads):
    """Reads both."""

    def __init__(self, tables: Tables, other: Reads) -> None:
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
        """The deliveries that may be sent to each of these endpoints."""
        other = await self._other.due_deliveries(now, endpoint_ids)
        return _compare("due deliveries", await super().due_deliveries(now, endpoint_ids), other)

    async def pending_endpoints(self, after: str, limit: int) -> list[PendingEndpoint]:
        """The next endpoints behind this one that are owed something."""
        other = await self._other.pending_endpoints(after, limit)
        return _compare("owed endpoints", await super().pending_endpoints(after, limit), other)

    async def failures(self) -> list[DeliveryFailure]:
        """As it says."""
        own = await super().failures()
        other = await self._other.failures()
        _compare("failures", sorted(own, key=str), sorted(other, key=str))
        return own


def _plain(value: Any) -> Any:
    """The comparable part of a value, without the sweeps that are left out."""
    if isinstance(value, Outbox):
        return vars(value) | {"directory": value.directory.recipients("default", CALLBACK)}
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
        raise Differ(f"{what}:\n  memory {ours}\n  store  {other}")
    return ours
