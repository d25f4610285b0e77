"""Bulk actions: the request for one, and its views."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from gateway.wire.endpoints import Project
from gateway.wire.message import JSONObject, Reason, Reply, Request
from gateway.wire.tasks import Line, Metadata, Name, Url
from gateway.wire.times import Moment

TaskStatus = Literal[
    "queued",
    "launching",
    "running",
    "completed",
    "needs_review",
    "failed",
    "timed_out",
    "cancelled",
    "expired",
]
FlagCode = Literal[
    "any",
    "sandbox_unconfirmed",
    "cleanup_pending",
    "realm_missing",
    "wrong_snapshot",
    "unreachable",
    "silent",
    "no_progress",
    "launch_slow",
    "provider_down",
    "no_launcher",
]


class BulkFilter(Request, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions as in `GET /v1/tasks`, all of which a task meets; at least one is needed."""

    status: Annotated[tuple[TaskStatus, ...], msgspec.Meta(min_length=1)] | None = None
    """Default: those that the action is for. `cancel`: queued, launching, running; `retry`: failed,
    timed_out, expired; `destroy`: all that have ended."""
    flag: FlagCode | None = None
    error_code: Line | None = None
    provider: Name | None = None
    """Of its sandbox, or the one that the task names."""
    snapshot: Name | None = None
    launcher_id: Line | None = None
    """The launcher that took its current attempt last."""
    repo_url: Url | None = None
    project: Project | None = None
    """Any but the key's own needs `ops`; default: the key's, for `ops` all."""
    metadata: Metadata = msgspec.field(default_factory=dict)
    created_after: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    created_before: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class NewBulk(Request, frozen=True, kw_only=True):
    """`POST /v1/bulk`."""

    action: Literal["cancel", "retry", "destroy"]
    filter: BulkFilter
    reason: Reason
    """Stored with the action, and in the events of its tasks."""
    dry_run: bool = False


class BulkPreview(Reply, frozen=True, kw_only=True):
    """The tasks that match now; nothing was stored."""

    action: str
    matched: int
    sample: tuple[str, ...]
    """The newest of them."""


class BulkFailureView(Reply, frozen=True, kw_only=True):
    """A task that the action was refused for."""

    task_id: str
    code: str
    """As a request for this task alone would be refused."""


class BulkView(Reply, frozen=True, kw_only=True):
    """A bulk action and its progress."""

    id: str
    action: str
    status: str
    project: str | None
    """None: the tasks of every project."""
    filter: JSONObject
    reason: str
    actor: str
    """The key that asked for it: `key:<id>`."""
    matched: int
    """Tasks that matched when it was asked for; later ones are none of it."""
    done: int
    failed: int
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None


class WholeBulkView(BulkView, frozen=True, kw_only=True):
    """A bulk action with its failures."""

    failures: tuple[BulkFailureView, ...]
    """The first 100."""
