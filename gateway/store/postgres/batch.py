"""A batch on PostgreSQL: beside those of other gateways where that is safe, alone where it is not.

Every batch holds one advisory lock to its end: shared, if all that it reads and changes belongs to
tasks that it has locked; alone otherwise. So rows of no task, which are few and which rules weigh
against each other, never change under a decision, and two gateways take in tasks side by side.
Event numbers are taken last, and their row is locked to the commit: their order is that of commits.
"""

from collections.abc import Collection, Sequence
from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.loading import BatchReadSet
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.postgres.notifications import CHANNEL, NOTIFY, payloads
from gateway.store.postgres.outcome import Proof
from gateway.store.sql.batch import NOTHING, Batch, CachedRows, written

LEDGER: Final = "SELECT seq, version FROM ledger"

TAKE_NUMBERS: Final = """
WITH proof AS (
    INSERT INTO commits (gateway, batch) VALUES (:gateway, :batch)
    ON CONFLICT (gateway) DO UPDATE SET batch = excluded.batch, at = excluded.at)
UPDATE ledger SET seq = seq + :events, version = version + :cached
RETURNING seq, version, CAST(pg_current_xact_id() AS text), pg_backend_pid()"""

LOCK_TASKS: Final = """
SELECT id FROM tasks WHERE id IN (SELECT value FROM json_each(:ids))
ORDER BY id FOR NO KEY UPDATE"""

# A gateway that stands still in the middle of a batch is thrown out of it, or all would wait: also
# one that has not sent all parts of a statement.
_BOUNDS: Final = """
    set_config('idle_in_transaction_session_timeout', :idle, true),
    set_config('statement_timeout', :time, true),
    set_config('lock_timeout', :lock_timeout, true)"""
LOCK_SHARED: Final = f"SELECT {_BOUNDS}, pg_advisory_xact_lock_shared(:lock)"
LOCK_ALONE: Final = f"SELECT {_BOUNDS}, pg_advisory_xact_lock(:lock)"
BATCHES: Final = 7_151_001
"""The advisory lock of batches."""
BUSY_MS: Final = 8_000
"""Milliseconds that a batch waits for a lock of another."""
BOUNDS: Final = {"lock": BATCHES, "idle": "4s", "time": "10s", "lock_timeout": f"{BUSY_MS}ms"}

OF_TASKS: Final = frozenset(
    {
        *("tasks", "webhooks", "idempotency", "deliveries", "undelivered"),
        *("own_events", "lanes", "portals"),
    }
)
"""Fields of a read set whose rows belong to the tasks that are locked, to one endpoint, or to own
events: their unique keys tell two batches of one lane or one id apart; portals change alone."""
PARTS_OF_TASKS: Final = frozenset(
    {
        *("tasks", "metadata", "secrets", "events", "patches", "deliveries", "attempts", "jobs"),
        *("own_events", "idempotency", "audit"),
    }
)
"""Parts that may change beside other batches."""
REALMS_CHANGED: Final = 1
"""Added to the version of cached rows by every call of a launcher;"""
ENDPOINTS_CHANGED: Final = 1 << 32
"""and by a change of what is rare to change and long to read: there may be thousands of them."""


class PostgresRead(Batch):
    """`load` without a lock, for changes that are tried and not made."""

    ledger = LEDGER

    def _has_endpoints_of(self, version: int) -> bool:
        known = self.cached.version
        return known is not None and version // ENDPOINTS_CHANGED == known // ENDPOINTS_CHANGED


class PostgresBatch(PostgresRead):
    """`load`, then `write`; the transaction itself belongs to the store."""

    def __init__(
        self,
        connection: PostgresConnection,
        cached: CachedRows = NOTHING,
        *,
        is_alone: bool = False,
        sender: str = "",
        busy_ms: int = BUSY_MS,
        number: int = 0,
    ) -> None:
        super().__init__(connection, cached)
        self._writer = connection
        self._sender = sender
        self._number = number
        self._is_alone = is_alone
        self._bounds = {**BOUNDS, "lock_timeout": f"{busy_ms}ms"}
        self._read: tuple[int, int] | None = None
        self.proof: Proof | None = None
        """None: nothing was changed."""

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The union of what the commands of the batch need, behind the locks that it takes."""
        wanted = BatchReadSet.of(needs)
        self._is_alone = self._is_alone or not _is_of_tasks(wanted)
        ids = wanted.tasks.union(task_id for task_id, *_ in wanted.webhooks)
        async with self._writer.pipeline():
            await self._writer.execute(LOCK_ALONE if self._is_alone else LOCK_SHARED, self._bounds)
            if ids and not self._is_alone:
                await self._writer.execute(LOCK_TASKS, {"ids": sorted(ids)})
            ledger = await self._writer.execute(LEDGER)
            ((seq, version),) = await ledger.fetchall()
        self._read = seq, version
        return await super().load(needs, policy, now)

    async def read_ledger(self) -> tuple[int, int]:
        """The number of the newest event, and the version of cached rows."""
        return self._read if self._read is not None else await super().read_ledger()

    async def write(self, unit: UnitOfWork, topics: Collection[str] = (), /) -> None:
        """Writes every changed part, and takes the numbers of its events.

        Raises:
            Conflict: it has to be decided again, alone.
        """
        changed = {name for name, part in unit.parts.items() if part.is_changed}
        if not self._is_alone and not (changed <= PARTS_OF_TASKS and _has_no_keys(unit)):
            raise Conflict
        numbers: dict[str, int | str] = {"events": len(unit.events.new), "cached": _raised(unit)}
        numbers |= {"gateway": self._sender, "batch": self._number}
        ((newest, version, number, pid),) = await self._writer.fetch(TAKE_NUMBERS, numbers)
        self.proof = Proof(transaction_id=number, pid=pid, gateway=self._sender, batch=self._number)
        unit.seq = newest - len(unit.events.new)
        async with self._writer.pipeline():
            for statement, params in written(unit, unit.seq + 1):
                await self._writer.write(statement, params)
            for payload in payloads(self._sender, topics, unit):
                await self._writer.execute(NOTIFY, {"channel": CHANNEL, "payload": payload})
        self.remember(unit)
        self.cached = replace(self.cached, version=version)


def _raised(unit: UnitOfWork) -> int:
    """The amount by which the version of cached rows is raised."""
    if unit.outbox.is_directory_changed or unit.switches.is_changed:
        return ENDPOINTS_CHANGED
    return REALMS_CHANGED if unit.realms.is_changed else 0


def _is_of_tasks(wanted: BatchReadSet) -> bool:
    """True if nothing is read but what belongs to tasks."""
    return not any(
        getattr(wanted, name) for name in wanted.__struct_fields__ if name not in OF_TASKS
    )


def _has_no_keys(unit: UnitOfWork) -> bool:
    """True if no task has a concurrency key, which others may wait for."""
    return all(task.concurrency_key is None for task in unit.tasks.values())
