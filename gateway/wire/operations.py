"""Views for operators: launchers, sweeps, and the dry run of the reconciler."""

from typing import Literal

from gateway.wire.launcher import JobKind, WarningView
from gateway.wire.message import Change, JSONObject, Reason, Reply
from gateway.wire.tasks import DeadlineView
from gateway.wire.times import Moment


class HeldJobView(Reply, frozen=True, kw_only=True):
    """A job under a lease."""

    id: str
    kind: JobKind
    task_id: str | None
    attempt: int | None
    lease_expires_at: Moment


class LauncherView(Reply, frozen=True, kw_only=True):
    """A launcher at its last call; one that has not called for a day is left out."""

    id: str
    providers: tuple[str, ...]
    """`local@<realm>`; a bare name means the empty realm."""
    project: str | None
    """The project that it serves; null: all."""
    capacity: int
    """Create jobs that it would take in addition."""
    version: str
    last_called_at: Moment
    live: bool
    """True if it called within the last 60 s."""
    jobs: tuple[HeldJobView, ...]
    mode: Literal["working", "drained", "revoked"]
    """`drained`: it finishes what it holds and gets no new create jobs; `revoked`: its calls are
    refused."""
    mode_since: Moment | None
    """Null: ops have never decided about it."""
    mode_reason: str | None
    mode_actor: str | None
    """`key:<id>`."""


class LauncherOrder(Change, frozen=True, kw_only=True):
    """`POST /v1/launchers/{id}/drain`, `resume` or `revoke`."""

    reason: Reason


class DueView(Reply, frozen=True, kw_only=True):
    """An expired clock of a task, `lease` of a job, or `realm`."""

    what: str
    since: Moment


class DryRunEventView(Reply, frozen=True, kw_only=True):
    """An event that would be written."""

    task_id: str
    attempt: int
    type: str
    data: JSONObject


class DryRunJobView(Reply, frozen=True, kw_only=True):
    """A job that would be opened or changed."""

    id: str
    kind: JobKind
    state: str
    """`open`, `held` or `closed`."""
    not_before: Moment


class DryRunStepView(Reply, frozen=True, kw_only=True):
    """A due clock, and the changes that the reconciler would make."""

    task_id: str | None
    job_id: str | None
    """The job whose lease has expired; null if a clock of the task is due."""
    realm: str | None
    """The realm, `local@<realm>`, whose launchers are to be checked."""
    status: str | None
    due: tuple[DueView, ...]
    next_status: str | None
    next_deadline: DeadlineView | None
    events: tuple[DryRunEventView, ...]
    jobs: tuple[DryRunJobView, ...]


class ProblemView(Reply, frozen=True, kw_only=True):
    """One cause of what is wrong, with all tasks, endpoints or deliveries that it concerns."""

    code: str
    count: int
    since: Moment
    summary: str
    example: str | None
    """The id of one of them."""
    do: str
    """The command that shows more."""


class StripView(Reply, frozen=True, kw_only=True):
    """The counts of this moment."""

    queued: int
    launching: int
    running: int
    ended_last_hour: int
    deliveries_due: int
    oldest_due_seconds: float
    launchers_live: int
    gateways_live: int
    """Gateways of the database; 0 while the one that answers has no session."""


class StatusView(Reply, frozen=True, kw_only=True):
    """The state of an installation, or of one project of it."""

    ok: bool
    since: Moment | None
    """Of the oldest problem; null without any."""
    problems: tuple[ProblemView, ...]
    strip: StripView
    warnings: tuple[WarningView, ...] = ()
    """Of its start, by the gateway that answers; none of them for a key of one project."""


class UnwantedView(Reply, frozen=True, kw_only=True):
    """A sandbox with our label that no task wants."""

    id: str
    name: str
    state: str
    task_id: str | None
    """From its labels."""
    attempt: int | None
    created_at: Moment | None
    outcome: Literal["waiting", "ending", "destroying"]
    """`waiting`: a create may be under way, or the list stale, so the next sweep checks again;
    `ending`: its attempt has a destroy job; `destroying`: the sweep has opened one."""
    reason: str


class SweepView(Reply, frozen=True, kw_only=True):
    """A realm, and the findings of its last sweep."""

    provider: str
    realm: str
    project: str | None
    """The project of its launchers, which see only its sandboxes; null: all."""
    live: bool
    """True if a launcher of it called within the last 60 s: only those can sweep."""
    swept_at: Moment | None
    """Null: not yet."""
    next_at: Moment | None
    """The next sweep; null during one."""
    seen: int
    """Our sandboxes; those of other instances are not counted."""
    unwanted: int
    sandboxes: tuple[UnwantedView, ...]
    """The first 100 of the unwanted."""


class SweepsView(Reply, frozen=True, kw_only=True):
    """All realms that are served."""

    data: tuple[SweepView, ...]


class ReconcileView(Reply, frozen=True, kw_only=True):
    """Everything that is due at a moment, the longest due first; a dry run."""

    at: Moment
    data: tuple[DryRunStepView, ...]
    is_whole: bool
    """False: more is due than `limit`."""
    next_due_at: Moment | None
    """The expiry of the next clock or lease."""
    outage_since: Moment | None
    """The start of an outage of the store: clocks that came due meanwhile are moved first."""
