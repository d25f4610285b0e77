"""The unit of work: the rows that a batch has loaded, and the changes of its decisions so far.

Decisions apply in the order of arrival, so a later command of a batch sees the earlier ones.
If the commit fails the whole unit is dropped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.deliveries.delivery import NO_REPEAT, REPEAT
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.event_type import EventTypes
from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.deliveries.own_event import OwnEvents
from gateway.domain.deliveries.portal import CustomerKey, Portal
from gateway.domain.kernel.commands import Callback, SettleDelivery
from gateway.domain.kernel.idempotency import StoredResponses
from gateway.domain.kernel.part import Added, Part, Rows
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import WebhookKey
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import Realm, RealmKey, Sweep, first_call
from gateway.domain.operations.alert import Alert
from gateway.domain.operations.api_key import ApiKeys
from gateway.domain.operations.audit_log import AuditLog
from gateway.domain.operations.bulk import BulkActions
from gateway.domain.operations.switches import Switches
from gateway.domain.sources.message import Seen
from gateway.domain.sources.workspace import Workspace, WorkspaceKey
from gateway.domain.tasks.concurrency_keys import ConcurrencyKeys
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Attempt, Frozen, Task

AttemptKey = tuple[str, int]

OUTAGE: Final = 15_000
"""Milliseconds without a pulse that are an outage: nothing could commit."""
NEVER_LATER: Final[Mapping[str, int]] = {}


class NewDelivery(Frozen, frozen=True, kw_only=True):
    """A new delivery of an event to an endpoint."""

    endpoint_id: str
    event: Event
    status: str
    next_attempt_at: int | None
    repeats: int = NO_REPEAT


class TaskSecrets(Frozen, frozen=True, kw_only=True):
    """The encrypted parts of a task."""

    task_id: str
    env: Sealed | None = None
    callback: Sealed | None = None


class Pruning(Frozen, frozen=True, kw_only=True):
    """Rows to delete at the end of their retention; moments in milliseconds."""

    at: int
    before: int
    """First answers, calls of launchers and secrets that expired from before that go."""
    long_before: int
    """Replays and bulk actions that ended, and concurrency keys that were freed, before that go."""
    ended_before: int
    """Events about endpoints, and entries of the audit log, from before that go."""
    erased: list[str]
    """Tasks whose `env` goes."""
    deleted: list[str]
    """Tasks that go, with everything that is kept of them."""
    own_events: list[int] = msgspec.field(default_factory=list)
    """Own events that go, unless somebody is owed them."""


class Tasks(Rows[str, Task]):
    """Tasks; `new` are those that were not there before."""

    def __init__(self) -> None:
        super().__init__(lambda task: task.id)
        self.loaded: dict[str, Task] = {}
        """The rows as they are stored."""
        self.new: dict[str, None] = {}

    def load(self, rows: Iterable[Task]) -> None:
        """Rows as they are stored."""
        super().load(rows)
        self.loaded = dict(self)

    def create(self, task: Task) -> None:
        """A task that was not there before."""
        self[task.id] = task
        self.new[task.id] = None

    def put(self, task: Task) -> None:
        """A changed task."""
        self[task.id] = task
        if task.id not in self.new:
            self.changed[task.id] = None

    @property
    def is_changed(self) -> bool:
        """True if a task is new or changed."""
        return bool(self.new or self.changed)


@dataclass
class Secrets:
    """Encrypted parts of tasks."""

    erased: set[str] = field(default_factory=set)
    """Tasks whose `env` is no longer kept."""
    new: list[TaskSecrets] = field(default_factory=list)
    renewed: list[TaskSecrets] = field(default_factory=list)
    """The `env` of tasks that are tried again with another one."""

    @property
    def is_changed(self) -> bool:
        """True if secrets have to be written."""
        return bool(self.new or self.renewed)


@dataclass
class Events:
    """New events, and the webhooks that came before."""

    seen: dict[WebhookKey, bytes] = field(default_factory=dict)
    """Hashes of the bodies that came under a webhook id."""
    new: list[Event] = field(default_factory=list)

    def put(self, event: Event) -> None:
        """An event, already numbered within its task."""
        self.new.append(event)
        if event.webhook_id is not None and event.body_hash is not None:
            self.seen[event.task_id, event.attempt, event.webhook_id] = event.body_hash

    @property
    def is_changed(self) -> bool:
        """True if there are new events."""
        return bool(self.new)


@dataclass
class Deliveries:
    """New deliveries, and the results of attempts."""

    undelivered: set[str] = field(default_factory=set)
    """Tasks with deliveries that are pending or held."""
    new: list[NewDelivery] = field(default_factory=list)
    settled: list[SettleDelivery] = field(default_factory=list)

    def enqueue(
        self,
        event: Event,
        recipients: Iterable[Endpoint],
        now: int,
        *,
        later: Mapping[str, int] = NEVER_LATER,
    ) -> None:
        """A delivery of the event to each recipient that wants it; to an endpoint in `later` not
        before that moment, and once more after it has arrived."""
        self.new += [
            NewDelivery(
                endpoint_id=endpoint.id,
                event=event,
                status="held" if endpoint.holds else "pending",
                next_attempt_at=None if endpoint.holds else max(now, later.get(endpoint.id, now)),
                repeats=REPEAT if endpoint.id in later else NO_REPEAT,
            )
            for endpoint in recipients
            if endpoint.wants(event.type)
        ]

    @property
    def is_changed(self) -> bool:
        """True if deliveries have to be written."""
        return bool(self.new or self.settled)


class Realms(Rows[RealmKey, Realm]):
    """All realms that are not known to be missing, and those that are named."""

    def __init__(self) -> None:
        super().__init__(lambda realm: realm.key)
        self.has_more_stranded = False
        """True if more tasks wait for a missing realm than were loaded."""


@dataclass
class Claims:
    """The work that launchers may claim, by project in turn."""

    claimable: dict[str, None] = field(default_factory=dict)
    """Tasks with a create job."""
    offered: dict[str, None] = field(default_factory=dict)
    """Inspect, destroy and sweep jobs that nobody holds, oldest first."""
    turns: dict[str, int] = field(default_factory=dict)
    """The `turn` at which each project was last given a launcher; 0: never."""
    turn: int = 0
    """The number of tasks of all projects that were ever given to launchers."""
    changed: dict[str, None] = field(default_factory=dict)

    def take_turn(self, project: str) -> None:
        """A task of the project was given to a launcher: the others come first now."""
        self.turn += 1
        self.turns[project] = self.turn
        self.changed[project] = None

    @property
    def is_changed(self) -> bool:
        """True if a project has taken its turn."""
        return bool(self.changed)


@dataclass
class Purges:
    """Tasks whose contents go."""

    events: dict[str, list[Event]] = field(default_factory=dict)
    """The events of a task that may hold a text; those that are nothing else are not loaded."""
    purged: list[str] = field(default_factory=list)
    """Tasks whose logs, patches, `env` and bodies go."""
    rewritten: list[Event] = field(default_factory=list)
    """Events without the texts that they had."""

    @property
    def is_changed(self) -> bool:
        """True if a task is purged."""
        return bool(self.purged)


class Messages(Rows[tuple[str, str], Seen]):
    """Messages of Daytona and GitHub by source and id, and what they are about."""

    def __init__(self) -> None:
        super().__init__(lambda seen: (seen.message.source, seen.message.id))
        self.applied: set[tuple[str, str]] = set()
        """Sources with the hash of a body that had its effect."""
        self.sandboxes: dict[str, tuple[AttemptKey, ...]] = {}
        """The attempts of a sandbox, by the id its provider gave it."""
        self.pull_requests: dict[str, tuple[str, ...]] = {}
        """The tasks of a pull request."""

    def put(self, seen: Seen) -> None:
        """A message that came."""
        super().put(seen)
        if seen.applied:
            self.applied.add((seen.message.source, seen.message.body_hash))


@dataclass
class Pulse:
    """The pulse of the reconciler (milliseconds)."""

    last: int | None = None
    """The newest one; loaded only for the next one."""
    at: int | None = None

    @property
    def is_changed(self) -> bool:
        """True if the pulse was kept."""
        return self.at is not None


@dataclass(kw_only=True)
class UnitOfWork:
    """A part for each capability. Each part says whether it has to be written."""

    policy: Policy
    seq: int = 0
    """The number of the newest event."""
    outbox: Outbox = field(default_factory=Outbox)
    tasks: Tasks = field(default_factory=Tasks)
    metadata: Added[tuple[str, dict[str, str]]] = field(default_factory=Added)
    secrets: Secrets = field(default_factory=Secrets)
    events: Events = field(default_factory=Events)
    patches: Added[tuple[Event, PatchPiece]] = field(default_factory=Added)
    """Texts of `task.patch`, with the events that brought them."""
    event_types: EventTypes = field(default_factory=EventTypes)
    portals: Rows[CustomerKey, Portal] = field(
        default_factory=lambda: Rows(lambda portal: (portal.project, portal.customer))
    )
    own_events: OwnEvents = field(default_factory=OwnEvents)
    deliveries: Deliveries = field(default_factory=Deliveries)
    attempts: Rows[AttemptKey, Attempt] = field(
        default_factory=lambda: Rows(lambda attempt: (attempt.task_id, attempt.number))
    )
    jobs: Rows[str, Job] = field(default_factory=lambda: Rows(lambda job: job.id))
    workspaces: Rows[WorkspaceKey, Workspace] = field(
        default_factory=lambda: Rows(lambda workspace: workspace.key)
    )
    idempotency: StoredResponses = field(default_factory=StoredResponses)
    messages: Messages = field(default_factory=Messages)
    launchers: Rows[str, LauncherCall] = field(
        default_factory=lambda: Rows(lambda call: call.launcher_id)
    )
    """The launchers that claim, report exits or hold the jobs that are reported on, as they last
    called."""
    realms: Realms = field(default_factory=Realms)
    keys: ConcurrencyKeys = field(init=False)
    claims: Claims = field(default_factory=Claims)
    switches: Switches = field(default_factory=Switches)
    sweeps: Added[Sweep] = field(default_factory=Added)
    api_keys: ApiKeys = field(default_factory=ApiKeys)
    audit: AuditLog = field(default_factory=AuditLog)
    alerts: Rows[str, Alert] = field(default_factory=lambda: Rows(lambda alert: alert.id))
    pulse: Pulse = field(default_factory=Pulse)
    bulk_actions: BulkActions = field(default_factory=BulkActions)
    purges: Purges = field(default_factory=Purges)
    retention: Added[Pruning] = field(default_factory=Added)

    def __post_init__(self) -> None:
        self.keys = ConcurrencyKeys(self.policy.concurrency_per_key)

    @property
    def parts(self) -> dict[str, Part]:
        """All parts by name."""
        return {name: part for name, part in vars(self).items() if name not in {"policy", "seq"}}

    @property
    def is_changed(self) -> bool:
        """True if anything has to be written."""
        return any(part.is_changed for part in self.parts.values())

    @property
    def newest(self) -> int:
        """The number of the newest event, those of this batch included."""
        return self.seq + len(self.events.new)

    def note_call(self, call: LauncherCall) -> None:
        """A launcher has called: it is live, and so are the realms it serves."""
        self.launchers.put(call)
        for provider_realm in call.providers:
            key = (*provider_realm, call.project)
            known = self.realms.get(key)
            self.realms.put(known.called(call.at) if known else first_call(key, call.at))

    def emit(
        self, kind: str, subject: str, number: int, data: bytes, to: Iterable[Endpoint], *, now: int
    ) -> None:
        """An event of the gateway that is about no task, with its deliveries."""
        event = Event(
            task_id=subject,
            task_seq=number,
            attempt=0,
            type=kind,
            at=now,
            source="gateway",
            data=data,
        )
        self.events.put(event)
        self.deliveries.enqueue(event, to, now)

    def open_endpoint(self, callback: Callback, project: str, now: int) -> None:
        """The implicit endpoint of a callback, unless it is there."""
        if self.outbox.directory.find(callback.endpoint_id) is not None:
            return
        endpoint = Endpoint(
            id=callback.endpoint_id,
            project=project,
            origin=callback.origin,
            created_at=now,
            updated_at=now,
        )
        self.outbox.put_endpoint(endpoint)
        self.outbox.subscribe(endpoint, self.newest)
