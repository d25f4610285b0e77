"""API keys and the audit log: the requests that change keys, and views."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from gateway.wire.endpoints import Project
from gateway.wire.message import Change, Reply, Request
from gateway.wire.times import Moment

MIN_RATE: Final = 0.001
MAX_RATE: Final = 100_000
"""Requests per second."""
MAX_CONCURRENT: Final = 100_000

Scope = Literal["tasks", "read", "launcher", "ops"]


class WantedRateLimit(Request, frozen=True, kw_only=True):
    """The limits of a new key; each gateway counts for itself."""

    requests_per_second: Annotated[float, msgspec.Meta(ge=MIN_RATE, le=MAX_RATE)] | None = None
    """Default: no limit."""
    burst: Annotated[int, msgspec.Meta(ge=1, le=MAX_RATE)] | None = None
    """Requests at once; default: those of a second."""
    concurrent: Annotated[int, msgspec.Meta(ge=1, le=MAX_CONCURRENT)] | None = None
    """Open requests, polls and streams."""


class NewKey(Change, frozen=True, kw_only=True):
    """`POST /v1/keys`."""

    scope: Scope
    name: Project
    """Its holder."""
    project: Project = "default"
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    all_projects: bool = False
    """Only of a launcher's key: it serves every project."""
    rate_limit: WantedRateLimit = msgspec.field(default_factory=WantedRateLimit)


class Revocation(Change, frozen=True, kw_only=True):
    """`POST /v1/keys/{id}/revoke`."""

    force: bool = False
    """True: even if the caller's own key is the last living one of scope `ops`."""


class RateLimitView(Reply, frozen=True, kw_only=True):
    """The limits of a key; null: the defaults."""

    requests_per_second: float | None
    burst: int | None
    concurrent: int | None


class KeyView(Reply, frozen=True, kw_only=True):
    """A key without the key itself."""

    id: str
    scope: Scope
    project: str
    name: str
    all_projects: bool
    """True if a launcher's key serves every project, and not its own alone."""
    rate_limit: RateLimitView
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
    """At most a minute old; null: not yet."""


class NewKeyView(KeyView, frozen=True, kw_only=True):
    """A new key."""

    key: str
    """Shown this once: only a hash is stored."""
    callback_secret: str | None
    """Signs the callbacks of the project; with its first key that can create tasks."""


class AuditEntryView(Reply, frozen=True, kw_only=True):
    """One change that somebody asked for."""

    id: int
    at: Moment
    actor: str
    """`key:<id>`, `cli`, `agent`, `launcher:<id>` or `gateway`."""
    action: str
    """`task.cancelled`, `key.created`."""
    target: str
    """The id of the changed object."""
    project: str | None
    """Null: all projects."""
    detail: dict[str, str | int | bool | tuple[str, ...]]
