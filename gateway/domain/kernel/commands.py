"""Commands: everything that may change a task, from whomever it comes.

A command names what it `needs`; the store loads the union for a batch inside the transaction.
"""

from typing import Literal

from msgspec import structs

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.deliveries.commands import (
    AdvanceReplay,
    CreateEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    RetryDelivery,
    RotateSecret,
    StartReplay,
    UpdateEndpoint,
)
from gateway.domain.deliveries.delivery import NO_REPEAT
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import orphan_id, sweep_id
from gateway.domain.kernel.read_set import Idempotency, ReadSet, SandboxKey
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.launching.job import owner
from gateway.domain.launching.realm import ProviderRealm, RealmKey
from gateway.domain.sources.message import PullRequestNotice, SandboxNotice
from gateway.domain.sources.workspace import Workspace
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen, Sandbox
from gateway.wire.launcher import LaunchError, Process, SweptSandbox


class Callback(Frozen, frozen=True, kw_only=True):
    """The implicit endpoint of a `callbackUrl`: one per (project, origin)."""

    endpoint_id: str
    origin: str
    url: Sealed


class CreateTask(Frozen, frozen=True, kw_only=True):
    """`POST /v1/tasks`."""

    task_id: str
    spec: Spec
    env: Sealed | None = None
    callback: Callback | None = None
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        """The answer of an earlier request with the same key."""
        return ReadSet(idempotency=(self.idempotency.key,) if self.idempotency else ())


class OpenWorkspace(Frozen, frozen=True, kw_only=True):
    """`POST /workspace`."""

    creation: CreateTask
    """What it makes if there is none."""
    workspace: Workspace | None = None
    """None: the frontend gave no TASK_ID, so nothing is ever the same."""
    renewal: Sealed | None = None
    """The `env` of a further attempt, sealed to the task that stands; None: none was seen."""
    answered_by: int
    """When the frontend has its answer at the latest (milliseconds)."""

    @property
    def needs(self) -> ReadSet:
        """The workspace with its task, and what the creation needs."""
        keys = (self.workspace.key,) if self.workspace else ()
        return structs.replace(self.creation.needs, workspaces=keys)


class CancelTask(Frozen, frozen=True, kw_only=True):
    """`POST …/cancel`; `project` None is ops, who may touch every project."""

    task_id: str
    project: str | None
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        """The task."""
        keys = (self.idempotency.key,) if self.idempotency else ()
        return ReadSet(tasks=(self.task_id,), idempotency=keys)


class RetryTask(CancelTask, frozen=True, kw_only=True):
    """`POST …/retry`: opens the next attempt, also past `maxAttempts`."""

    not_before: int | None = None
    """No launcher may claim it before that moment (milliseconds)."""


class AnswerWorkspace(Frozen, frozen=True, kw_only=True):
    """`POST /workspace` is being answered: the frontend begins to write down what it was told."""

    task_id: str

    @property
    def needs(self) -> ReadSet:
        """The task."""
        return ReadSet(tasks=(self.task_id,))


class ReleaseSandbox(Frozen, frozen=True, kw_only=True):
    """`POST …/attempts/{n}/release`: ops know that a sandbox is gone which nobody can confirm."""

    task_id: str
    project: str | None
    attempt: int
    reason: str

    @property
    def needs(self) -> ReadSet:
        """The task."""
        return ReadSet(tasks=(self.task_id,))


class ReportAgentEvent(Frozen, frozen=True, kw_only=True):
    """One authentic webhook of an agent: its signature has been verified with key `key_id`."""

    task_id: str
    attempt: int
    key_id: str
    type: str
    data: bytes
    """The JSON of its `data`, as it will be stored."""
    webhook_id: str | None
    body_hash: bytes
    refusal: ApiError | None = None
    """What a full decode found wrong; told only after the dedupe, as `interfaces.md` orders."""
    piece: PatchPiece | None = None
    """The text of a `task.patch`, which is no part of its data."""
    spooled: bool = False
    """Read from the sandbox's spool by a launcher: the agent could not reach us."""

    @property
    def needs(self) -> ReadSet:
        """The task and what was heard before under the same id."""
        key = ((self.task_id, self.attempt, self.webhook_id),) if self.webhook_id else ()
        return ReadSet(tasks=(self.task_id,), webhooks=key)


class Claim(Frozen, frozen=True, kw_only=True):
    """`POST /v1/launcher/claim`."""

    launcher_id: str
    providers: tuple[ProviderRealm, ...]
    """The empty realm is that of a bare name."""
    capacity: int
    holding: tuple[str, ...] = ()
    job_id: str | None = None
    version: str = ""
    secret: bytes
    """128 random bits or more: the tokens of the leases are derived from it."""
    key_id: str = ""
    """The API key that calls."""
    project: str = ""
    """The one whose jobs alone it may have; empty: all."""

    @property
    def needs(self) -> ReadSet:
        """Itself: a selection of the best jobs, and the jobs this launcher holds."""
        return ReadSet(claim=self, jobs=(self.job_id,) if self.job_id else ())


class JobReport(Frozen, frozen=True, kw_only=True):
    """A launcher speaks of a job under a lease."""

    job_id: str
    lease_token: str
    key_id: str = ""
    """The API key that calls."""
    project: str = ""
    """The one whose jobs alone it may speak of; empty: all."""

    @property
    def needs(self) -> ReadSet:
        """The job with its task, and its launcher."""
        return ReadSet(jobs=(self.job_id,), reports=True)


class RenewLease(JobReport, frozen=True, kw_only=True):
    """`renew`."""


class TrySandbox(JobReport, frozen=True, kw_only=True):
    """`trying`."""

    provider: str
    realm: str
    name: str
    number: int
    note: str | None = None


class ReportCreated(JobReport, frozen=True, kw_only=True):
    """`created`."""

    sandbox: Sandbox


class FinishJob(JobReport, frozen=True, kw_only=True):
    """`done`; the words of its spool are submitted before it, as commands of their own."""

    sandbox: Sandbox | None = None
    sandboxes: tuple[SweptSandbox, ...] = ()
    process: Process | None = None
    spooled: int = 0
    """How many words the report brought from the spool: more may follow."""
    spool_offset: int | None = None
    diagnosis: str | None = None

    @property
    def needs(self) -> ReadSet:
        """The job; of a sweep also what its sandboxes say they belong to."""
        jobs = {orphan_id(self.job_id, found.name, found.id) for found in self.sandboxes}
        tasks = {owner(found.labels)[0] for found in self.sandboxes}
        return ReadSet(jobs=(self.job_id, *jobs), tasks=tuple(tasks), reports=True)


class FailJob(JobReport, frozen=True, kw_only=True):
    """`failed`."""

    error: LaunchError


class DelegateJob(JobReport, frozen=True, kw_only=True):
    """`delegate`; `until` in milliseconds."""

    until: int
    note: str = ""


class RescuePatch(JobReport, frozen=True, kw_only=True):
    """`patch`: a piece of what a launcher found in the sandbox; `data` as of `task.patch`."""

    task_id: str
    attempt: int
    data: bytes
    piece: PatchPiece
    body_hash: bytes

    @property
    def name(self) -> str:
        """The same piece again has the same name, and no webhook of an agent has such a one."""
        return f"rescued:{self.piece.revision}:{self.piece.start}:{self.body_hash.hex()[:32]}"

    @property
    def needs(self) -> ReadSet:
        """The job with its task, its launcher, and whether the piece came before."""
        key = (self.task_id, self.attempt, self.name)
        return ReadSet(jobs=(self.job_id,), reports=True, webhooks=(key,))


class ReportEnded(Frozen, frozen=True, kw_only=True):
    """`POST /v1/launcher/ended`: processes that a launcher held have ended."""

    sandboxes: tuple[SandboxKey, ...]
    project: str = ""
    """The one whose sandboxes alone it may speak of; empty: all."""

    @property
    def needs(self) -> ReadSet:
        """The tasks of these sandboxes."""
        return ReadSet(sandboxes=self.sandboxes)


class TaskDue(Frozen, frozen=True, kw_only=True):
    """A clock of this task may have come due."""

    task_id: str

    @property
    def needs(self) -> ReadSet:
        """The task."""
        return ReadSet(tasks=(self.task_id,))


class JobDue(Frozen, frozen=True, kw_only=True):
    """A lease of this job may have run out."""

    job_id: str

    @property
    def needs(self) -> ReadSet:
        """The job and its task."""
        return ReadSet(jobs=(self.job_id,))


class RealmDue(Frozen, frozen=True, kw_only=True):
    """Launchers of this realm may have fallen silent, or call again."""

    key: RealmKey

    @property
    def needs(self) -> ReadSet:
        """The realm, the tasks with a sandbox there, and those that nobody else can take."""
        return ReadSet(realm=self.key)


class SettleDelivery(Frozen, frozen=True, kw_only=True):
    """What an attempt made of a delivery; moments and durations in milliseconds."""

    endpoint_id: str
    seq: int
    status: str
    """`delivered`, `pending` or `dead`."""
    attempts: int
    """How many were ever made, this one included."""
    failures: int
    """The place in the schedule."""
    next_attempt_at: int | None
    body: str | None
    """Rendered at the first attempt, and kept byte for byte."""
    at: int
    http_status: int | None
    reason: str | None
    duration_ms: int
    key_id: str | None
    answer: str | None
    trigger: Literal["auto", "manual", "replay"] = "auto"
    """What this attempt was owed to; the next one is owed to the schedule."""
    is_attempt: bool = True
    """False: nothing was sent, so there is no attempt to keep."""
    is_charged: bool = True
    """False: that it failed is not the receiver's fault."""
    repeats: int = NO_REPEAT

    @property
    def needs(self) -> ReadSet:
        """Of a failure, the jobs that are not done with its endpoint: it may be the last one."""
        is_failure = self.is_attempt and self.status != "delivered"
        return ReadSet(backlogs=(self.endpoint_id,)) if is_failure else ReadSet()


class Pulse(Frozen, frozen=True, kw_only=True):
    """The reconciler commits: a gap between two pulses is an outage."""

    at: int

    @property
    def needs(self) -> ReadSet:
        """The pulse before, and what an outage has to move."""
        return ReadSet(pulse_at=self.at)


class Prune(Frozen, frozen=True, kw_only=True):
    """Delete what was kept for its time; moments in milliseconds."""

    at: int
    env_of: tuple[str, ...] = ()
    """Tasks that may have ended 24 hours ago: then their `env` is erased."""
    tasks: tuple[str, ...] = ()
    """Tasks that may have ended by `ended_before`: then they are deleted, whole."""
    ended_before: int = 0

    @property
    def needs(self) -> ReadSet:
        """The tasks it is about, and which of them still owe something."""
        return ReadSet(tasks=(*self.env_of, *self.tasks), owing=self.tasks)


class SweepNow(Frozen, frozen=True, kw_only=True):
    """These realms are to be swept before their time."""

    realms: tuple[RealmKey, ...]

    @property
    def needs(self) -> ReadSet:
        """Their sweep jobs."""
        return ReadSet(jobs=tuple(sweep_id(*key) for key in self.realms))


Command = (
    CreateTask
    | OpenWorkspace
    | AnswerWorkspace
    | CancelTask
    | RetryTask
    | ReleaseSandbox
    | ReportAgentEvent
    | SandboxNotice
    | PullRequestNotice
    | Claim
    | RenewLease
    | TrySandbox
    | ReportCreated
    | FinishJob
    | FailJob
    | DelegateJob
    | RescuePatch
    | ReportEnded
    | TaskDue
    | JobDue
    | RealmDue
    | SettleDelivery
    | Pulse
    | Prune
    | SweepNow
    | CreateEndpoint
    | UpdateEndpoint
    | DeleteEndpoint
    | EnableEndpoint
    | DisableEndpoint
    | RotateSecret
    | StartReplay
    | AdvanceReplay
    | RetryDelivery
)
