"""Commands: every change of a task, an endpoint or a realm is requested by one of them.

A command names the rows that it `needs`; the store loads the union of a batch in its transaction.
"""

from typing import Literal

from msgspec import structs

from gateway.domain.agents.patch import PatchPiece
from gateway.domain.deliveries.delivery import NO_REPEAT
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import orphan_id, sweep_id
from gateway.domain.kernel.read_set import (
    Command,
    Idempotency,
    ReadSet,
    SandboxKey,
)
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.launching.job import owner
from gateway.domain.launching.realm import ProviderRealm, RealmKey
from gateway.domain.sources.workspace import Workspace
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Frozen, Sandbox
from gateway.wire.launcher import LaunchError, Process, SweptSandbox


class TaskCommand(Command, frozen=True, kw_only=True):
    """A command about one task."""

    task_id: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(tasks=(self.task_id,))


class Callback(Frozen, frozen=True, kw_only=True):
    """The implicit endpoint of a `callbackUrl`: one per (project, origin)."""

    endpoint_id: str
    origin: str
    url: Sealed


class CreateTask(Command, frozen=True, kw_only=True):
    """`POST /v1/tasks`."""

    task_id: str
    spec: Spec
    env: Sealed | None = None
    callback: Callback | None = None
    idempotency: Idempotency | None = None

    @property
    def needs(self) -> ReadSet:
        earlier = self.spec.continues
        return ReadSet(
            tasks=(earlier.task_id,) if earlier else (),
            idempotency=self.idempotency,
        )


class OpenWorkspace(Command, frozen=True, kw_only=True):
    """`POST /workspace`."""

    creation: CreateTask
    """Applied if the workspace has no task yet."""
    workspace: Workspace | None = None
    """None: the frontend gave no TASK_ID, so every request is a new task."""
    renewal: Sealed | None = None
    """The `env` of a further attempt, sealed to the existing task; None: no task was found."""
    answered_by: int
    """Latest time at which the frontend receives its answer (milliseconds)."""

    @property
    def needs(self) -> ReadSet:
        keys = (self.workspace.key,) if self.workspace else ()
        return structs.replace(self.creation.needs, workspaces=keys)


class Cause(Frozen, frozen=True, kw_only=True):
    """The reason of a change; its event and the audit log keep it."""

    reason: str
    bulk_id: str | None = None
    """The bulk action that the change is a part of."""


class CancelTask(TaskCommand, frozen=True, kw_only=True):
    """`POST …/cancel`; `project` None is ops, who may access every project."""

    project: str | None
    idempotency: Idempotency | None = None
    cause: Cause | None = None

    @property
    def needs(self) -> ReadSet:
        return ReadSet(tasks=(self.task_id,), idempotency=self.idempotency)


class RetryTask(CancelTask, frozen=True, kw_only=True):
    """`POST …/retry`: opens the next attempt, also past `maxAttempts`."""

    not_before: int | None = None
    """Earliest time at which a launcher may claim it (milliseconds)."""


class DestroySandboxes(TaskCommand, frozen=True, kw_only=True):
    """The sandboxes of an ended task go now, also one that is kept."""

    project: str | None
    cause: Cause


class PurgeTask(TaskCommand, frozen=True, kw_only=True):
    """`POST …/purge`."""

    cause: Cause

    @property
    def needs(self) -> ReadSet:
        return ReadSet(tasks=(self.task_id,), purges=(self.task_id,))


class AnswerWorkspace(TaskCommand, frozen=True, kw_only=True):
    """The answer to `POST /workspace` is sent: the frontend begins to store it."""


class ReleaseSandbox(TaskCommand, frozen=True, kw_only=True):
    """`POST …/attempts/{n}/release`: ops confirm that a sandbox is gone."""

    project: str | None
    attempt: int
    reason: str


class ReportAgentEvent(Command, frozen=True, kw_only=True):
    """One authentic webhook of an agent: its signature has been verified with key `key_id`."""

    task_id: str
    attempt: int
    key_id: str
    type: str
    data: bytes
    """The JSON of its `data`, as it is stored."""
    webhook_id: str | None
    body_hash: bytes
    refusal: ApiError | None = None
    """The error of a full decode; raised after the duplicate check (order of `interfaces.md`)."""
    piece: PatchPiece | None = None
    """The text of a `task.patch`, which is no part of its data."""
    spooled: bool = False
    """True if a launcher read it from the spool: the agent could not reach the gateway."""

    @property
    def needs(self) -> ReadSet:
        key = ((self.task_id, self.attempt, self.webhook_id),) if self.webhook_id else ()
        return ReadSet(tasks=(self.task_id,), webhooks=key)


class Claim(Command, frozen=True, kw_only=True):
    """`POST /v1/launcher/claim`."""

    launcher_id: str
    providers: tuple[ProviderRealm, ...]
    """The empty realm is that of a bare name."""
    capacity: int
    holding: tuple[str, ...] = ()
    job_id: str | None = None
    version: str = ""
    secret: bytes
    """At least 128 random bits: the tokens of the leases are derived from it."""
    key_id: str = ""
    """The API key of the caller."""
    project: str = ""
    """The only project whose jobs the caller may get; empty: all projects."""

    @property
    def needs(self) -> ReadSet:
        """A selection of the best jobs, and the jobs that this launcher holds."""
        return ReadSet(claim=self, jobs=(self.job_id,) if self.job_id else ())


class JobReport(Command, frozen=True, kw_only=True):
    """A launcher's report on a job that it holds under a lease."""

    job_id: str
    lease_token: str
    key_id: str = ""
    """The API key of the caller."""
    project: str = ""
    """The only project whose jobs the caller may report on; empty: all projects."""

    @property
    def needs(self) -> ReadSet:
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
    """`done`; the events of its spool are submitted before it, as commands of their own."""

    sandbox: Sandbox | None = None
    sandboxes: tuple[SweptSandbox, ...] = ()
    process: Process | None = None
    spooled: int = 0
    """Number of events that the report brought from the spool: more may follow."""
    spool_offset: int | None = None
    diagnosis: str | None = None

    @property
    def needs(self) -> ReadSet:
        """The job; for a sweep also the tasks that the labels of its sandboxes name."""
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
    """`patch`: a piece of a patch found in the sandbox; `data` as in `task.patch`."""

    task_id: str
    attempt: int
    data: bytes
    piece: PatchPiece
    body_hash: bytes

    @property
    def name(self) -> str:
        """The same piece always has the same name; no webhook-id of an agent can equal it."""
        return f"rescued:{self.piece.revision}:{self.piece.start}:{self.body_hash.hex()[:32]}"

    @property
    def needs(self) -> ReadSet:
        key = (self.task_id, self.attempt, self.name)
        return ReadSet(jobs=(self.job_id,), reports=True, webhooks=(key,))


class ReportEnded(Command, frozen=True, kw_only=True):
    """`POST /v1/launcher/ended`: processes that a launcher watched have ended."""

    sandboxes: tuple[SandboxKey, ...]
    launcher_id: str = ""
    key_id: str = ""
    project: str = ""
    """The only project whose sandboxes the caller may report on; empty: all projects."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(exits=self)


class SweepNow(Command, frozen=True, kw_only=True):
    """Sweeps these realms before their next regular sweep."""

    realms: tuple[RealmKey, ...]

    @property
    def needs(self) -> ReadSet:
        return ReadSet(jobs=tuple(sweep_id(*key) for key in self.realms))


class TaskDue(TaskCommand, frozen=True, kw_only=True):
    """A clock of this task may be due."""


class JobDue(Command, frozen=True, kw_only=True):
    """The lease of this job may have expired."""

    job_id: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(jobs=(self.job_id,))


class RealmDue(Command, frozen=True, kw_only=True):
    """Launchers of this realm may have stopped calling, or call again."""

    key: RealmKey

    @property
    def needs(self) -> ReadSet:
        return ReadSet(realm=self.key)


class SettleDelivery(Command, frozen=True, kw_only=True):
    """The result of a delivery attempt; times and durations in milliseconds."""

    endpoint_id: str
    seq: int
    status: str
    """`delivered`, `pending` or `dead`."""
    attempts: int
    """Number of attempts ever made, this one included."""
    failures: int
    """The position in the retry schedule."""
    next_attempt_at: int | None
    body: str | None
    """Rendered at the first attempt and stored byte for byte."""
    at: int
    http_status: int | None
    reason: str | None
    duration_ms: int
    key_id: str | None
    answer: str | None
    trigger: Literal["auto", "manual", "replay"] = "auto"
    """The cause of this attempt; the next one follows the schedule."""
    is_attempt: bool = True
    """False: nothing was sent, so there is no attempt to record."""
    is_charged: bool = True
    """False: the failure is not the receiver's fault."""
    repeats: int = NO_REPEAT

    @property
    def needs(self) -> ReadSet:
        """For a failure, the endpoint's running jobs: the failure may disable the endpoint."""
        is_failure = self.is_attempt and self.status != "delivered"
        return ReadSet(backlogs=(self.endpoint_id,)) if is_failure else ReadSet()


class Pulse(Command, frozen=True, kw_only=True):
    """The reconciler commits: a gap between two pulses is an outage."""

    at: int

    @property
    def needs(self) -> ReadSet:
        return ReadSet(pulse_at=self.at)


class Prune(Command, frozen=True, kw_only=True):
    """Deletes expired rows; times in milliseconds."""

    at: int
    env_of: tuple[str, ...] = ()
    """Tasks that may have ended 24 hours ago: their `env` is erased."""
    tasks: tuple[str, ...] = ()
    """Tasks that may have ended by `ended_before`: they are deleted as a whole."""
    ended_before: int = 0
    own_events: tuple[int, ...] = ()
    """Numbers of own events from before then."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(tasks=(*self.env_of, *self.tasks), undelivered=self.tasks)
