"""The protocol of the store: small interfaces, each named by its consumer, without a dialect."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.domain.agents.patch import StoredPiece
from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.event_type import EventType
from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import ProviderRealm, Realm, RealmKey, Sweep
from gateway.domain.operations.alert import Alert
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.audit_log import AuditEntry
from gateway.domain.operations.bulk import BulkAction
from gateway.domain.operations.gauges import Gauges
from gateway.domain.operations.history import History
from gateway.domain.operations.status import StatusFacts
from gateway.domain.operations.switches import Pause
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Task
from gateway.store.records import (
    NEWEST,
    NO_NUMBER,
    Delivery,
    DeliveryContext,
    DeliveryFailure,
    DeliveryFilter,
    DueDeliveries,
    FeedPage,
    LiveSecret,
    PendingEndpoint,
    SandboxPosition,
    SecretOwner,
    StoredSecrets,
    Target,
    TaskFilter,
    TaskPage,
    TaskWithSpec,
)


class Transaction(Protocol):
    """One write transaction, open."""

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The union of what the commands need."""

    async def write(self, unit: UnitOfWork, topics: Collection[str], /) -> None:
        """Writes every change, and notifies other gateways on the database of the topics."""


class Store(Protocol):
    """Transactions for the ledger."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begins; commits when the block ends, rolls back when it raises.

        Raises:
            Unavailable: disk full, I/O error, locked: nothing was written.
            Conflict: another gateway was faster: decide again.
        """


class TaskReads(Protocol):
    """Tasks, and what belongs to each."""

    async def task(self, task_id: str) -> TaskWithSpec | None:
        """One task with what was asked for."""

    async def newest_of_pull_request(self, url: str) -> TaskWithSpec | None:
        """The newest task that opened, or goes on with, the pull request at this address, in the
        project of the first."""

    async def spec(self, task_id: str) -> Spec | None:
        """The request of a task."""

    async def page(self, wanted: TaskFilter, *, before: str = NEWEST, limit: int) -> TaskPage:
        """The newest tasks that match and are older than the id `before`."""

    async def ids(self, wanted: TaskFilter, *, most: int) -> list[str] | None:
        """The ids of all that match, newest first; None if they are more, or too many to search."""

    async def attempts(self, task_id: str) -> list[Attempt]:
        """Its attempts, oldest first; the first has a row from its first claim, or its end, on."""

    async def secrets(self, task_id: str) -> StoredSecrets | None:
        """Its encrypted parts, if it has any."""

    async def workspace(self, key: WorkspaceKey) -> str | None:
        """The task behind a frontend's own id."""

    async def key_holders(self, task: Task, limit: int) -> list[str]:
        """The tasks that are launching or running with its concurrency key."""


class EventReads(Protocol):
    """Events, by task and by project."""

    async def events_of_task(self, task_id: str, *, after: int, limit: int) -> list[Event]:
        """Its events after number `after`, oldest first."""

    async def events_of_project(
        self, project: str | None, types: Sequence[str] | None = None, *, after: int, limit: int
    ) -> FeedPage:
        """The next events of a project (None: of all) and of these types (None: all of tasks).
        With types, events about endpoints too."""

    async def pruned(self, project: str | None) -> int:
        """The number of the newest event that retention has deleted from this feed (of all
        projects for None), 0 if none: a cursor before it has missed something."""

    async def events_of_types(
        self,
        task_id: str,
        types: Sequence[str],
        *,
        after: int = 0,
        limit: int = NO_NUMBER,
        is_late_too: bool = False,
    ) -> list[Event]:
        """Its applied events of these types, oldest first; or also those that came too late."""

    async def last_event(self, task_id: str, kind: str, *, until: int) -> Event | None:
        """Its newest applied event of this type up to number `until`."""

    async def newest_events(
        self,
        task_id: str,
        limit: int,
        types: Sequence[str] | None = None,
        *,
        before: int = NO_NUMBER,
    ) -> list[Event]:
        """Its newest events of these types (None: of all) before a number, oldest first."""


class EventTypeReads(Protocol):
    """The catalogue of event types."""

    async def event_type(self, project: str, name: str) -> EventType | None:
        """A type that the catalogue has."""

    async def event_types(self, project: str, after: str, limit: int) -> list[EventType]:
        """The types of a project behind a name, in the order of their names."""


class PatchReads(Protocol):
    """Patches of tasks, in the pieces in which they came."""

    async def patch_pieces(self, task_id: str, attempt: int | None = None) -> list[StoredPiece]:
        """The pieces of its patches without their texts, oldest first; of all attempts for None."""

    async def chunks(self, task_id: str, numbers: Sequence[int]) -> dict[int, bytes]:
        """Texts of pieces as they are stored, by the numbers of their events."""


class LaunchingReads(Protocol):
    """Launchers, jobs and realms."""

    async def jobs(self, ids: Sequence[str]) -> list[Job]:
        """Jobs by their ids, closed ones too."""

    async def next_claimable(
        self, providers: Sequence[ProviderRealm], now: int, project: str = ""
    ) -> int | None:
        """The time (milliseconds) of the next job for launchers of the project (empty: all)."""

    async def launchers_before(
        self, at: int, launcher_id: str, limit: int
    ) -> list[tuple[LauncherCall, list[Job]]]:
        """Launchers behind this position (last call in milliseconds, id), each with its jobs."""

    async def launcher(self, launcher_id: str) -> LauncherCall | None:
        """A launcher that has ever claimed."""

    async def recent_launchers(self, project: str, limit: int) -> list[LauncherCall]:
        """Launchers of a project, or of all, that have ever called, the latest first."""

    async def living_sandboxes(
        self, after: SandboxPosition, limit: int
    ) -> list[tuple[Attempt, Task]]:
        """Attempts behind this position whose sandbox may be alive, each with its task."""

    async def sweeps(self, limit: int) -> list[tuple[Realm, Sweep | None]]:
        """Realms that are served, each with its last report."""


class DeliveryReads(Protocol):
    """Deliveries, for those who look at them."""

    async def deliveries(self, task_id: str, limit: int) -> list[Delivery]:
        """The deliveries of the task's newest events, oldest first."""

    async def delivery(self, endpoint_id: str, seq: int) -> Delivery | None:
        """The delivery of an event to an endpoint."""

    async def deliveries_before(
        self, wanted: DeliveryFilter, before: tuple[int, str], limit: int
    ) -> list[Delivery]:
        """Deliveries behind this position (number of the event, endpoint), newest first."""

    async def undelivered(self, task_id: str, limit: int) -> list[DeliveryState]:
        """Deliveries that have not arrived, of the newest events, oldest first."""


class ReplayReads(Protocol):
    """Reads of the replayer."""

    async def running_replays(self) -> Sequence[Replay]:
        """The jobs that are not done."""

    async def pending_of(self, endpoint_id: str, most: int) -> int:
        """The number of pending deliveries of an endpoint, counted up to `most`."""


class EndpointReads(ReplayReads, Protocol):
    """Endpoints, their secrets and their replays."""

    async def find(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint, unless it was deleted."""

    async def before(
        self,
        project: str | None,
        at: int,
        endpoint_id: str,
        limit: int,
        *,
        customer: str | None = None,
    ) -> list[Endpoint]:
        """Endpoints behind this position (creation in milliseconds, id); None: of all projects,
        with and without a customer."""

    async def secret(self, secret_id: str) -> Sealed | None:
        """A secret as it is stored, if it still is."""

    async def replay(self, replay_id: str) -> Replay | None:
        """A replay with its progress."""

    async def replays(self, *, running: int, ended: int) -> list[tuple[Replay, str]]:
        """Running jobs and the newest replays that ended, each with the origin of its endpoint."""

    async def last_before(self, moment: int) -> int:
        """The number of the last event that is older than this moment (milliseconds)."""


class SwitchReads(Protocol):
    """Switches."""

    async def pauses(self, now: int) -> Sequence[Pause]:
        """All pauses that last (milliseconds)."""


class OutboxReads(Protocol):
    """Reads of pending deliveries."""

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> Mapping[str, DueDeliveries]:
        """The deliveries that may be sent to each of these endpoints that is enabled."""

    async def pending_endpoints(self, after: str, limit: int) -> Sequence[PendingEndpoint]:
        """The next endpoints behind this one with pending deliveries, by their ids."""

    async def failures(self) -> Sequence[DeliveryFailure]:
        """The last failures of the endpoints without a success since, oldest first."""

    async def changed_at(self, endpoint_ids: Sequence[str]) -> Mapping[str, int]:
        """The moment (milliseconds) of the last change of each of these endpoints."""


class DelivererReads(OutboxReads, SwitchReads, Protocol):
    """Reads of the deliverer."""


class MessageReads(Protocol):
    """Reads of the message builder."""

    async def delivery_contexts(
        self, keys: Collection[DeliveryKey], now: int
    ) -> Mapping[DeliveryKey, DeliveryContext]:
        """The contexts of the deliveries that are still kept."""

    async def is_overtaken(self, endpoint_id: str, task_id: str, seq: int) -> bool:
        """True if a later event of the task has been sent to the endpoint."""

    async def target(self, endpoint_id: str) -> Target | None:
        """The address of an endpoint, and the headers that people gave it."""

    async def live_secrets(
        self, owners: Collection[SecretOwner], now: int
    ) -> Mapping[SecretOwner, Sequence[LiveSecret]]:
        """The secrets that sign the messages of each owner now; the newest first."""


class BulkReads(Protocol):
    """Bulk actions."""

    async def bulk_action(self, bulk_id: str) -> BulkAction | None:
        """A bulk action with its progress."""

    async def running_bulk_actions(self) -> Sequence[BulkAction]:
        """The actions that are not over, the oldest first."""

    async def bulk_actions_before(
        self, project: str | None, before: str, limit: int
    ) -> list[BulkAction]:
        """Actions with an id before this one, newest first; of all projects for None."""


class DueReads(Protocol):
    """Reads of the reconciler."""

    async def due_tasks(self, now: int, limit: int) -> Sequence[str]:
        """Tasks with a clock at or before now, the oldest first."""

    async def due_jobs(self, now: int, limit: int) -> Sequence[str]:
        """Held jobs with an expired lease."""

    async def due_realms(self, now: int, limit: int) -> Sequence[RealmKey]:
        """Realms that may be missing, or whose launchers call again."""

    async def next_due(self) -> int | None:
        """The earliest moment (milliseconds) at which one of them will have something."""


class RetentionReads(Protocol):
    """Reads of the pruner."""

    async def kept_env(self, after: str, limit: int) -> Sequence[tuple[str, int | None]]:
        """Tasks behind this id whose `env` is still kept, and when they ended (milliseconds)."""

    async def old_tasks(
        self, after: str, until: str, limit: int
    ) -> Sequence[tuple[str, int, int | None]]:
        """Tasks between two ids, with the number of their events, and when they ended."""

    async def own_events(self, after: int, limit: int) -> Sequence[tuple[int, int]]:
        """Own events behind a number, the oldest first, each with its time (milliseconds)."""

    async def has_idempotency_records(self, before: int) -> bool:
        """True if records of idempotency keys are kept from before that moment (milliseconds)."""

    async def has_old_groups(self, now: int) -> bool:
        """True if counts of ends are kept that are older than the pages that show them."""

    async def has_old_audit(self, before: int) -> bool:
        """True if the audit log begins before that moment (milliseconds)."""


class OperationReads(Protocol):
    """Keys, gauges and the pulse."""

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """The key with this SHA-256, unless it was revoked."""

    async def api_keys_before(self, at: int, key_id: str, limit: int) -> list[ApiKey]:
        """Keys behind this position (creation in milliseconds, id), revoked ones too."""

    async def audit_before(
        self, number: int, limit: int, *, actor: str | None, after: int | None
    ) -> list[AuditEntry]:
        """Entries with a smaller number: of one actor, later than `after` (milliseconds)."""

    async def last_pulse(self) -> int | None:
        """The last commit of the reconciler (milliseconds)."""

    async def gauges(self, *, now: int, since: int) -> Gauges:
        """Counts of this moment; a launcher is live that has called since then (milliseconds)."""

    async def status_facts(
        self, project: str | None, *, now: int, launchers_since: int
    ) -> StatusFacts:
        """The facts for the status of a project; None: of all. Times in milliseconds."""

    async def history(self, project: str | None, now: int) -> History:
        """The last day of a project; None: of all. `now` in milliseconds."""

    async def alerts(self) -> dict[str, Alert]:
        """All alerts that there ever were, by id."""

    async def unit_of_work(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The unit of work of a batch of commands, for a dry run."""


class Reads(
    TaskReads,
    EventReads,
    EventTypeReads,
    PatchReads,
    LaunchingReads,
    DeliveryReads,
    DelivererReads,
    MessageReads,
    BulkReads,
    DueReads,
    RetentionReads,
    OperationReads,
    Protocol,
):
    """All reads of the store."""

    @property
    def endpoints(self) -> EndpointReads:
        """The reads of endpoints."""
