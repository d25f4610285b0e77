"""All reads of the store, on one connection."""

from collections.abc import Sequence

from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.sql.alerts import AlertQueries
from gateway.store.sql.api_keys import ApiKeyQueries
from gateway.store.sql.audit_log import AuditQueries
from gateway.store.sql.batch import Batch
from gateway.store.sql.bulk import BulkQueries
from gateway.store.sql.clocks import ClockQueries
from gateway.store.sql.connection import Connection
from gateway.store.sql.deliveries import DeliveryQueries
from gateway.store.sql.delivery_contexts import MessageQueries
from gateway.store.sql.endpoints import EndpointQueries
from gateway.store.sql.event_types import EventTypeQueries
from gateway.store.sql.events import EventQueries
from gateway.store.sql.history import HistoryQueries
from gateway.store.sql.lanes import OutboxQueries
from gateway.store.sql.launching import LaunchingQueries
from gateway.store.sql.operations import OperationQueries
from gateway.store.sql.portals import PortalQueries
from gateway.store.sql.pruning import RetentionQueries
from gateway.store.sql.status import StatusQueries
from gateway.store.sql.task_groups import GroupQueries
from gateway.store.sql.tasks import TaskQueries


class SQLReads(
    TaskQueries,
    EventQueries,
    EventTypeQueries,
    PortalQueries,
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

    def __init__(self, connection: Connection, batch: type[Batch]) -> None:
        super().__init__(connection)
        self._batch = batch
        self.endpoints = EndpointQueries(connection)

    async def unit_of_work(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        return await self._batch(self._connection).load(needs, policy, now)
