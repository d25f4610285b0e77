"""The protocol of the store: small interfaces, each named by its consumer, without a dialect."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.domain.agents.patch import StoredPiece
from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.event_type import EventType
from gateway.domain.deliveries.portal import Portal
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import ProviderRealm, Realm, Sweep
from gateway.domain.operations.alert import Alert
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.audit_log import AuditEntry
from gateway.domain.operations.gauges import Gauges
from gateway.domain.operations.history import History
from gateway.domain.operations.status import StatusFacts
from gateway.domain.sources.workspace import WorkspaceKey
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Task
from gateway.store.loop_reads import (
    BulkReads,
    DelivererReads,
    DueReads,
    MessageReads,
    ReplayReads,
    RetentionReads,
)
from gateway.store.records import (
    NEWEST,
    NO_NUMBER,
    Delivery,
    DeliveryFilter,
    FeedPage,
    SandboxPosition,
    StoredSecrets,
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


class PortalReads(Protocol):
    """Portals of customers."""

    async def portal(self, project: str, customer: str) -> Portal | None:
        """A portal whose links were ended at some time."""


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
    PortalReads,
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
