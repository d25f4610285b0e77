"""The reads of the SQLite store, on a connection of their own."""

from collections.abc import Callable, Sequence

import aiosqlite

from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.sqlite.alerts import AlertQueries
from gateway.store.sqlite.api_keys import ApiKeyQueries
from gateway.store.sqlite.audit_log import AuditQueries
from gateway.store.sqlite.batch import Batch
from gateway.store.sqlite.bulk import BulkQueries
from gateway.store.sqlite.clocks import ClockQueries
from gateway.store.sqlite.connection import translated
from gateway.store.sqlite.deliveries import DeliveryQueries
from gateway.store.sqlite.delivery_contexts import MessageQueries
from gateway.store.sqlite.endpoints import EndpointQueries
from gateway.store.sqlite.events import EventQueries
from gateway.store.sqlite.history import HistoryQueries
from gateway.store.sqlite.lanes import OutboxQueries
from gateway.store.sqlite.launching import LaunchingQueries
from gateway.store.sqlite.operations import OperationQueries
from gateway.store.sqlite.pruning import RetentionQueries
from gateway.store.sqlite.status import StatusQueries
from gateway.store.sqlite.task_groups import GroupQueries
from gateway.store.sqlite.tasks import TaskQueries


class SQLiteReads(
    TaskQueries,
    EventQueries,
    LaunchingQueries,
    DeliveryQueries,
    OutboxQueries,
    MessageQueries,
    ClockQueries,
    RetentionQueries,
    GroupQueries,
    OperationQueries,
    HistoryQueries,
    StatusQueries,
    ApiKeyQueries,
    AuditQueries,
    BulkQueries,
    AlertQueries,
):
    """`gateway.store.protocol.Reads` on one connection."""

    def __init__(
        self, connection: aiosqlite.Connection, check: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(connection, check)
        self.endpoints = EndpointQueries(connection, check)

    async def unit_of_work(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        with translated():
            return await Batch(self._connection).load(needs, policy, now)
