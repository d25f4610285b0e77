"""What operators read: launchers, and what is due."""

from typing import Literal

from gateway.wire.launcher import JobKind
from gateway.wire.message import JSONObject, Reply
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
    """A launcher's process, as it called last; one that has not called for a day is forgotten."""

    id: str
    providers: tuple[str, ...]
    """`local@<realm>`; a bare name means the empty realm."""
    project: str | None
    """The one that it serves; null: all."""
    capacity: int
    """Create jobs it would take beside those it holds."""
    version: str
    last_called_at: Moment
    live: bool
    """Whether it called within the last 60 s."""
    jobs: tuple[HeldJobView, ...]


class DueView(Reply, frozen=True, kw_only=True):
    """A clock of a task, `lease` of a job, or `realm`, that has run out."""

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
    """What is due, and what the reconciler would do about it."""

    task_id: str | None
    job_id: str | None
    """The job whose lease has run out; else a clock of the task is due."""
    realm: str | None
    """The realm, `local@<realm>`, of which it is to be seen whether a launcher still calls."""
    status: str | None
    due: tuple[DueView, ...]
    next_status: str | None
    next_deadline: DeadlineView | None
    events: tuple[DryRunEventView, ...]
    jobs: tuple[DryRunJobView, ...]


class UnwantedView(Reply, frozen=True, kw_only=True):
    """A sandbox with our label that no task wants."""

    id: str
    name: str
    state: str
    task_id: str | None
    """As its labels say."""
    attempt: int | None
    created_at: Moment | None
    outcome: Literal["waiting", "ending", "destroying"]
    """`waiting`: a create may still land, or the list be stale: the next sweep looks again;
    `ending`: the destroy job of its attempt sees to it; `destroying`: the sweep has opened one."""
    reason: str


class SweepView(Reply, frozen=True, kw_only=True):
    """A realm, and what was found there last."""

    provider: str
    realm: str
    project: str | None
    """Whose launchers sweep it, and whose sandboxes alone they see; null: all."""
    live: bool
    """Whether a launcher of it called within the last 60 s: nobody else can sweep."""
    swept_at: Moment | None
    """Null: not yet."""
    next_at: Moment | None
    """When it is swept again; null while that is under way."""
    seen: int
    """Sandboxes of ours; those of another instance are never counted nor touched."""
    unwanted: int
    sandboxes: tuple[UnwantedView, ...]
    """Of the unwanted, the first 100."""


class SweepsView(Reply, frozen=True, kw_only=True):
    """All realms that are served."""

    data: tuple[SweepView, ...]


class ReconcileView(Reply, frozen=True, kw_only=True):
    """Everything that is due at a moment, the longest due first; nothing was changed."""

    at: Moment
    data: tuple[DryRunStepView, ...]
    is_whole: bool
    """False: more is due than `limit`."""
    next_due_at: Moment | None
    """When the next clock or lease runs out, of all that there are."""
    outage_since: Moment | None
    """Nothing could commit since then: clocks that came due meanwhile are moved first."""
