"""The store of one of several gateways: the batches of PostgreSQL, on the server's rules."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from msgspec.structs import replace

from gateway.domain.deliveries.endpoint import Directory
from gateway.domain.kernel.errors import Conflict
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.postgres.batch import PostgresBatch
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.postgres.session import Session
from gateway.store.sql.batch import NOTHING, CachedRows
from tests.simulation.scheduler import Process
from tests.simulation.server import Server, Transaction
from tests.store.conformance.memory import Commit, Load, MemoryReads, cached_rows


class SharedBatch(PostgresBatch):
    """Its locks, numbers, notifications and cached rows are the real ones; rows are in memory."""

    def __init__(
        self,
        server: Server,
        transaction: Transaction,
        cached: CachedRows,
        *,
        is_alone: bool,
        sender: str,
    ) -> None:
        super().__init__(
            cast(PostgresConnection, transaction), cached, is_alone=is_alone, sender=sender
        )
        self.needs: Sequence[ReadSet] = ()
        self.unit: UnitOfWork | None = None
        self._server = server

    async def write(self, unit: UnitOfWork, topics: Collection[str] = (), /) -> None:
        """Kept for the commit."""
        await super().write(unit, topics)
        self.unit = unit

    async def _load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        self.needs = needs
        return Load(self._server.tables, policy, now, self.cached).load(needs)

    async def _refresh(self) -> None:
        tables = self._server.tables
        _, version = await self.read_ledger()
        has_endpoints = self._has_endpoints_of(version)
        read = self.cached.directory if has_endpoints else Directory(tables.endpoints.values())
        self.cached = replace(cached_rows(tables, version), directory=read)


class SharedStore:
    """As `gateway.store.postgres.store`, whose connections are a part of PostgreSQL."""

    def __init__(
        self, server: Server, process: Process, commit: Commit, *, ownership: Session
    ) -> None:
        self.reads = MemoryReads(server.tables)
        self._server = server
        self._process = process
        self._commit = commit
        self._ownership = ownership
        self._cached = NOTHING
        self._is_alone = False
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SharedBatch]:
        """Commits when the block ends; a batch that meets others is decided again, alone."""
        async with self._turn:
            self._ownership.begin()
            is_alone, self._is_alone = self._is_alone, False
            try:
                async with self._server.transaction(self._process) as transaction:
                    batch = SharedBatch(
                        self._server,
                        transaction,
                        self._cached,
                        is_alone=is_alone,
                        sender=self._ownership.gateway_id,
                    )
                    yield batch
                    if batch.unit is not None:
                        end = partial(transaction.commit, batch.unit, is_alone=is_alone)
                        await self._commit(batch.needs, batch.unit, end)
                    self._cached = batch.cached.committed()
            except Conflict:
                self._is_alone = True
                raise
