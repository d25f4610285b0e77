"""Endpoints and replays: the requests that change them, and their views."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.wire.message import Change, Reason, Reply, Request, WithoutNul
from gateway.wire.own_events import Key
from gateway.wire.tasks import EventView, Metadata, Url
from gateway.wire.times import Moment

Project = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\u0000-\u001f\u007f]*$(?!\n)"),
    msgspec.Meta(description="one line without control characters"),
]
EventTypes = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=128)], ...],
    msgspec.Meta(min_length=1, max_length=50),
]
"""`task.started`, `task.*`, `invoice.paid`, `*`; the domain checks the patterns."""
HeaderName = Annotated[
    str,
    msgspec.Meta(max_length=100, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$(?!\n)"),
    msgspec.Meta(description="the name of a header (RFC 9110), such as `X-Team`"),
]
HeaderValue = Annotated[
    str,
    msgspec.Meta(max_length=4_000, pattern=r"^[\u0020-\u007e]*$(?!\n)"),
    msgspec.Meta(description="one line of printable ASCII"),
]
Headers = Annotated[dict[HeaderName, HeaderValue], msgspec.Meta(max_length=20)]
Description = Annotated[WithoutNul, msgspec.Meta(max_length=1_000)]
Secret = Annotated[
    str,
    msgspec.Meta(pattern=r"^whsec_[A-Za-z0-9+/]{32,86}={0,2}$(?!\n)"),
    msgspec.Meta(description="`whsec_` and the base64 of 24 to 64 bytes"),
]
Rate = Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class NewEndpoint(Change, frozen=True, kw_only=True):
    """`POST /v1/endpoints`."""

    url: Url
    project: Project = "default"
    event_types: EventTypes | None = None
    """Types, ours and your own, and their groups (`invoice.*`). Default: ours but `task.heartbeat`,
    `task.log`, `task.patch`, `task.trajectory`, `endpoint.*` and `ops.*`; `*` contains no `ops.*`.
    An endpoint of a customer: all own events of it."""
    format: Literal["standard", "slack"] = "standard"
    """`slack`: the body of a Slack incoming webhook; it is fixed. Without `eventTypes` it gets the
    ends of tasks."""
    customer: Key | None = None
    """It gets the own events of this customer alone, and nothing else; it is fixed."""
    description: Description | None = None
    headers: Headers = msgspec.field(default_factory=dict)
    """Sent with every request; the values are never shown."""
    rate_per_second: Rate | None = None
    secret: Secret | None = None
    """Signs its webhooks; default: a new one. One that receivers know already, such as the callback
    secret of the project."""
    metadata: Metadata = msgspec.field(default_factory=dict)


class EndpointPatch(Change, frozen=True, kw_only=True):
    """`PATCH /v1/endpoints/{id}`: absent fields stay unchanged."""

    url: Url | UnsetType = UNSET
    event_types: EventTypes | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    headers: Headers | UnsetType = UNSET
    """Replaces all headers."""
    rate_per_second: Rate | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class Rotation(Change, frozen=True, kw_only=True):
    """`POST …/rotate-secret`."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = 86_400
    """The time for which older secrets sign too; 0 retires them at once."""


class Enabling(Change, frozen=True, kw_only=True):
    """`POST …/enable`."""

    backlog: Literal["deliver", "dead"] = "deliver"
    """The fate of the events that were held."""


class NewReplay(Request, frozen=True, kw_only=True):
    """`POST …/replay`: sends the deliveries of a period again, with the same bodies."""

    since: Annotated[datetime, msgspec.Meta(tz=True)]
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """The end of the period; null: now."""
    only_failed: bool = False
    reason: Reason | None = None
    """Kept in the audit log."""
    dry_run: bool = False


class DeletedEndpoint(Reply, frozen=True, kw_only=True):
    """A deleted endpoint."""

    id: str
    deleted: bool


class EndpointView(Reply, frozen=True, kw_only=True):
    """An endpoint, without its secrets."""

    id: str
    project: str
    url: str
    """The query is masked: it may hold a secret. Of an implicit endpoint, the origin; of one of
    format `slack`, nothing behind it."""
    format: Literal["standard", "slack"]
    implicit: bool
    """True for the `callbackUrl`s of one origin."""
    description: str | None
    customer: str | None
    """The only customer whose events it gets; null: it is the project's."""
    event_types: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    failing_since: Moment | None
    headers: tuple[str, ...]
    """Only their names."""
    rate_per_second: float | None
    metadata: dict[str, str]
    created_at: Moment
    updated_at: Moment


class NewEndpointView(EndpointView, frozen=True, kw_only=True):
    """A new endpoint."""

    secret: str | None
    """Shown this once; null in a repeated answer if it was retired since."""


class SecretView(Reply, frozen=True, kw_only=True):
    """A new secret."""

    key_id: str
    """Recorded by the attempts that it signs."""
    secret: str | None
    """Shown this once; null in a dry run, and in a repeated answer if it was retired since."""


class EndpointTestData(Reply, frozen=True, kw_only=True):
    """The endpoint under test."""

    endpoint_id: str


class EndpointTest(Reply, frozen=True, kw_only=True):
    """The body that `POST …/test` sends, signed as any other; it is about no task."""

    type: str = "endpoint.test"
    timestamp: Moment
    data: EndpointTestData


class EndpointStateView(Reply, frozen=True, kw_only=True):
    """An endpoint at the time it failed, was disabled, or recovered."""

    id: str
    origin: str
    """Without the path, which may be a secret."""
    implicit: bool
    enabled: bool
    reason: str | None
    """`failing`: of the last failed attempt; `disabled`: as `disabledReason`."""
    http_status: int | None
    """Its answer to that attempt, if any."""
    failing_since: Moment | None


class EndpointNoticeData(Reply, frozen=True, kw_only=True):
    """The event, and the endpoint it is about; there is no task."""

    event: EventView
    endpoint: EndpointStateView


class EndpointNotice(Reply, frozen=True, kw_only=True):
    """The body of a webhook about another endpoint of the project."""

    type: str
    timestamp: Moment
    """Of the event."""
    data: EndpointNoticeData


class AlertNoticeData(Reply, frozen=True, kw_only=True):
    """The event, and its data once more."""

    event: EventView
    state: Literal["firing", "resolved"]
    since: Moment
    """Begin of the problem."""
    summary: str
    count: int
    example: str | None
    """A task, if the problem is one of tasks."""
    do: str | None
    """The command that shows more, or helps."""


class AlertNotice(Reply, frozen=True, kw_only=True):
    """The body of a webhook about the whole installation."""

    type: str
    timestamp: Moment
    """Of the event."""
    data: AlertNoticeData


class ReplayView(Reply, frozen=True, kw_only=True):
    """A job that sends deliveries again, and its progress."""

    id: str
    endpoint_id: str
    kind: str
    """`replay`; `hold`, `release` and `drop` follow the state of their endpoint."""
    status: str
    since: Moment | None
    until: Moment | None
    only_failed: bool
    dry_run: bool
    matched: int
    """Deliveries found so far."""
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None
