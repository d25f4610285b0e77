"""A batch on SQLite: what it is asked is queued on the thread of its connection."""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.sql.batch import NOTHING, Batch, CachedRows, written
from gateway.store.sql.rows import Row
from gateway.store.sqlite.connection import Writer

# The version changes with every commit of another connection.
LEDGER: Final = """
SELECT ledger.seq, now.data_version FROM ledger CROSS JOIN pragma_data_version AS now"""

ADVANCE_LEDGER: Final = "UPDATE ledger SET seq = :seq"


class SQLiteBatch(Batch):
    """`load`, then `write`; the transaction itself belongs to the store."""

    ledger = LEDGER

    def __init__(self, connection: Writer, cached: CachedRows = NOTHING) -> None:
        super().__init__(connection, cached)
        self._writer = connection
        self._ledger: asyncio.Task[Iterable[Row]] | None = None

    def begin(self) -> None:
        """Queues the BEGIN and does not wait for it, as `settle` does: reads are queued behind it,
        and decisions are made meanwhile. A batch that was never begun can only be loaded."""
        self.begun = asyncio.create_task(self._writer.execute("BEGIN IMMEDIATE"))
        self._ledger = asyncio.create_task(self._select_ledger())

    async def settle(self) -> None:
        """Waits for what `begin` queued, and takes its errors: a decision that failed first is what
        the caller is told, not the BEGIN that failed too."""
        queued = (self.begun, self._ledger) if self._ledger else ()
        await asyncio.gather(*queued, return_exceptions=True)

    async def write(self, unit: UnitOfWork, _topics: Collection[str] = (), /) -> None:
        """Writes every changed part, a statement per table; nobody else has to be told."""
        await self.begun
        seq, _ = await self.read_ledger()
        statements = [*written(unit, seq + 1)]
        if unit.events.new:
            statements.append((ADVANCE_LEDGER, [{"seq": seq + len(unit.events.new)}]))
        # Row by row in a Python loop every step would have to win the GIL back. One INSERT … SELECT
        # FROM json_each(:rows) steps only once, yet reaches 0.58 of this, idle or beside a busy
        # event loop: reading the columns out of JSON costs more than the steps. All are queued at
        # once: waiting for each would put the writing thread to sleep between them. One that fails
        # takes the others with it, for nothing is committed then.
        await asyncio.gather(
            *(self._writer.write(statement, params) for statement, params in statements)
        )
        self.remember(unit)

    async def read_ledger(self) -> tuple[int, int]:
        """The number of the newest event, and the version of the database."""
        if self._ledger is None:
            return await super().read_ledger()
        ((seq, version),) = await self._ledger
        return seq, version

    async def _select_ledger(self) -> Iterable[Row]:
        return await self._writer.fetch(LEDGER)
