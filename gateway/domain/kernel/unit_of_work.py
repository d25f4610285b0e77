"""The view: what a batch has loaded, and what its decisions have changed so far.

Decisions apply in the order of arrival, so a later command of a batch sees the earlier ones.
If the commit fails the whole view is dropped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.deliveries.commands import EndpointReply, ReplayReply
from gateway.domain.deliveries.delivery import NO_REPEAT, REPEAT
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.kernel.commands import Callback, SettleDelivery
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import IdempotencyKey, WebhookKey
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import ProviderRealm, Realm, RealmKey, Sweep, first_call
from gateway.domain.sources.message import Seen
from gateway.domain.sources.workspace import Workspace, WorkspaceKey
from gateway.domain.tasks.concurrency_hold import ConcurrencyHold
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import LIVE, Attempt, Frozen, Status, Task

AttemptKey = tuple[str, int]

OUTAGE: Final = 15_000
"""So many milliseconds without a pulse are an outage: nothing could commit."""


NEVER_LATER: Final[Mapping[str, int]] = {}

FirstAnswer = Task | EndpointReply | ReplayReply


class IdempotencyRecord(Frozen, frozen=True, kw_only=True):
    """The first answer to an `Idempotency-Key`."""

    key: IdempotencyKey
    key_id: str
    digest: bytes
    answer: FirstAnswer
    at: int


class Delivery(Frozen, frozen=True, kw_only=True):
    """An event owed to an endpoint."""

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


class LauncherCall(Frozen, frozen=True, kw_only=True):
    """A launcher has called: it is live."""

    launcher_id: str
    providers: tuple[ProviderRealm, ...]
    capacity: int
    version: str
    at: int
    key_id: str = ""
    """The key it called with: its id belongs to that key while it lives."""
    project: str = ""
    """The one it serves; empty: all."""


class Pruning(Frozen, frozen=True, kw_only=True):
    """What was kept for its time; moments in milliseconds."""

    at: int
    before: int
    """First answers, calls of launchers and secrets that expired from before that go."""
    long_before: int
    """Replays that were done, and concurrency keys that were freed, before that go."""
    ended_before: int
    """Events about endpoints from before that go."""
    erased: list[str]
    """Tasks whose `env` goes."""
    deleted: list[str]
    """Tasks that go, with everything that is kept of them."""


@dataclass(kw_only=True)
class UnitOfWork:
    """Loaded rows by key, and the sets of keys that have to be written."""

    policy: Policy
    seq: int = 0
    """The number of the newest event."""
    tasks: dict[str, Task] = field(default_factory=dict)
    attempts: dict[AttemptKey, Attempt] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    heard: dict[WebhookKey, bytes] = field(default_factory=dict)
    """Hashes of the bodies that came under a webhook id."""
    remembered: dict[IdempotencyKey, IdempotencyRecord] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=Outbox)
    erased: set[str] = field(default_factory=set)
    """Tasks whose `env` is no longer kept."""
    owing: set[str] = field(default_factory=set)
    """Tasks with deliveries that are pending or held."""
    claimable: dict[str, None] = field(default_factory=dict)
    """Tasks whose create job may be claimed, by project in turn."""
    turns: dict[str, int] = field(default_factory=dict)
    """When each of their projects was last given a launcher, as a number of `turn`; 0: never."""
    turn: int = 0
    """How many tasks of all projects were ever given to launchers."""
    offered: dict[str, None] = field(default_factory=dict)
    """Inspect, destroy and sweep jobs that nobody holds, by project in turn, oldest first."""
    keys_in_use: dict[str, int] = field(default_factory=dict)
    """How many attempts of a concurrency key are launching or running."""
    taken: dict[str, tuple[ConcurrencyHold, ...]] = field(default_factory=dict)
    """When a concurrency key was taken, as far as somebody has waited for it, and whether it is."""
    realms: dict[RealmKey, Realm] = field(default_factory=dict)
    """All that are not known to be missing, and those that are spoken of."""
    has_more_stranded: bool = False
    """More tasks wait for a realm that is missing than were loaded."""

    new_tasks: dict[str, None] = field(default_factory=dict)
    changed_tasks: dict[str, None] = field(default_factory=dict)
    changed_attempts: dict[AttemptKey, None] = field(default_factory=dict)
    changed_jobs: dict[str, None] = field(default_factory=dict)
    changed_realms: dict[RealmKey, None] = field(default_factory=dict)
    changed_taken: list[ConcurrencyHold] = field(default_factory=list)
    changed_turns: dict[str, None] = field(default_factory=dict)
    new_sweeps: list[Sweep] = field(default_factory=list)
    new_events: list[Event] = field(default_factory=list)
    new_pieces: list[tuple[Event, PatchPiece]] = field(default_factory=list)
    """Texts of `task.patch`, with the events that brought them."""
    new_deliveries: list[Delivery] = field(default_factory=list)
    new_secrets: list[TaskSecrets] = field(default_factory=list)
    renewed_env: list[TaskSecrets] = field(default_factory=list)
    """The `env` of tasks that are tried again with another one."""
    workspaces: dict[WorkspaceKey, Workspace] = field(default_factory=dict)
    new_workspaces: list[Workspace] = field(default_factory=list)
    new_remembered: list[IdempotencyRecord] = field(default_factory=list)
    new_metadata: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    launchers: dict[str, LauncherCall] = field(default_factory=dict)
    """Who holds the jobs that are reported on, or claims, as they last called."""
    calls: list[LauncherCall] = field(default_factory=list)
    settled: list[SettleDelivery] = field(default_factory=list)
    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    """Messages of Daytona and GitHub that came before, by source and id."""
    said: set[tuple[str, str]] = field(default_factory=set)
    """Sources with the hash of a body that had its effect."""
    sandboxes: dict[str, tuple[AttemptKey, ...]] = field(default_factory=dict)
    """The attempts that a sandbox belongs to, by the id its provider gave it."""
    pull_requests: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The tasks that a pull request belongs to."""
    new_messages: list[Seen] = field(default_factory=list)
    last_pulse: int | None = None
    """The newest pulse; loaded only for the next one (milliseconds)."""
    pulse_at: int | None = None
    pruning: Pruning | None = None

    def put_new_task(self, task: Task) -> None:
        """A task that was not there before."""
        self.tasks[task.id] = task
        self.new_tasks[task.id] = None

    def put_task(self, task: Task) -> None:
        """A task as it now stands."""
        self.tasks[task.id] = task
        if task.id not in self.new_tasks:
            self.changed_tasks[task.id] = None

    def put_attempt(self, attempt: Attempt) -> None:
        """An attempt as it now stands."""
        key = (attempt.task_id, attempt.number)
        self.attempts[key] = attempt
        self.changed_attempts[key] = None

    def put_job(self, job: Job) -> None:
        """A job as it now stands."""
        self.jobs[job.id] = job
        self.changed_jobs[job.id] = None

    def note_call(self, call: LauncherCall) -> None:
        """A launcher has called: it is live, and so are the realms it serves."""
        self.launchers[call.launcher_id] = call
        self.calls.append(call)
        for place in call.providers:
            key = (*place, call.project)
            known = self.realms.get(key)
            self.put_realm(known.called(call.at) if known else first_call(key, call.at))

    def put_realm(self, realm: Realm) -> None:
        """A realm as it now stands."""
        self.realms[realm.key] = realm
        self.changed_realms[realm.key] = None

    def take_turn(self, project: str) -> None:
        """A task of the project was given to a launcher: the others come first now."""
        self.turn += 1
        self.turns[project] = self.turn
        self.changed_turns[project] = None

    def put_event(self, event: Event) -> None:
        """An event, already numbered within its task."""
        self.new_events.append(event)
        if event.webhook_id is not None and event.body_hash is not None:
            self.heard[(event.task_id, event.attempt, event.webhook_id)] = event.body_hash

    def owe(
        self,
        event: Event,
        audience: Iterable[Endpoint],
        now: int,
        *,
        later: Mapping[str, int] = NEVER_LATER,
    ) -> None:
        """A delivery of the event to each of the audience that wants it; to an endpoint in `later`
        not before that moment, and once more after it has arrived."""
        for endpoint in audience:
            if endpoint.wants(event.type):
                self.new_deliveries.append(
                    Delivery(
                        endpoint_id=endpoint.id,
                        event=event,
                        status="held" if endpoint.holds else "pending",
                        next_attempt_at=None
                        if endpoint.holds
                        else max(now, later.get(endpoint.id, now)),
                        repeats=REPEAT if endpoint.id in later else NO_REPEAT,
                    )
                )

    def note_message(self, seen: Seen) -> None:
        """A message of Daytona or GitHub, that it is known again."""
        message = seen.message
        self.seen[message.source, message.id] = seen
        if seen.applied:
            self.said.add((message.source, message.body_hash))
        self.new_messages.append(seen)

    def put_workspace(self, workspace: Workspace) -> None:
        """A frontend's id and the task that stands for it from now on."""
        self.workspaces[workspace.key] = workspace
        self.new_workspaces.append(workspace)

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

    @property
    def newest(self) -> int:
        """The number of the newest event, those of this batch included."""
        return self.seq + len(self.new_events)

    def move_key(self, before: Task, after: Task, now: int) -> None:
        """A task with a concurrency key has changed: it may take the key, or free it."""
        by = (after.status in LIVE) - (before.status in LIVE)
        if after.concurrency_key is None or not by:
            return
        key = after.scoped_key
        self.keys_in_use[key] = max(0, self.keys_in_use.get(key, 0) + by)
        is_taken = self.keys_in_use[key] >= self.policy.concurrency_per_key
        periods = self.taken.get(key, ())
        if is_taken != any(period.freed_at is None for period in periods):
            self._turn_key(after, periods, now)

    def _turn_key(self, task: Task, periods: tuple[ConcurrencyHold, ...], now: int) -> None:
        taken = next((period for period in periods if period.freed_at is None), None)
        if taken is None:
            turned = ConcurrencyHold(
                project=task.project, concurrency_key=task.concurrency_key or "", taken_at=now
            )
        else:
            turned = replace(taken, freed_at=now)
        self.taken[task.scoped_key] = (
            *(period for period in periods if period is not taken),
            turned,
        )
        self.changed_taken.append(turned)

    def has_room(self, task: Task) -> bool:
        """Whether its concurrency key lets one more of them launch."""
        if task.concurrency_key is None or task.status is not Status.QUEUED:
            return True
        return self.keys_in_use.get(task.scoped_key, 0) < self.policy.concurrency_per_key

    @property
    def is_changed(self) -> bool:
        """Whether anything has to be written."""
        return bool(
            self.new_tasks
            or self.changed_tasks
            or self.changed_attempts
            or self.changed_jobs
            or self.new_events
            or self.calls
            or self.changed_realms
            or self.changed_taken
            or self.new_remembered
            or self.new_messages
            or self.settled
            or self.pulse_at is not None
            or self.pruning is not None
            or self.outbox.is_changed
        )
