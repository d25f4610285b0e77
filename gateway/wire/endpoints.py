"""Endpoints over HTTP: what is taken, and how they and their replays are shown."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.wire.message import Reply, Request, WithoutNul
from gateway.wire.tasks import EventView, Metadata, Url
from gateway.wire.times import Moment

Project = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\u0000-\u001f\u007f]*$(?!\n)"),
    msgspec.Meta(description="one line without control characters"),
]
EventTypes = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=100)], ...],
    msgspec.Meta(min_length=1, max_length=50),
]
"""`task.started`, `task.*`, `*`; what they mean is looked at behind it."""
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
Rate = Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class NewEndpoint(Request, frozen=True, kw_only=True):
    """`POST /v1/endpoints`."""

    url: Url
    project: Project = "default"
    event_types: EventTypes | None = None
    """Without them: all but `task.heartbeat`, `task.log`, `task.patch` and `endpoint.*`."""
    description: Description | None = None
    headers: Headers = msgspec.field(default_factory=dict)
    """Sent with every request; their values are never shown again."""
    rate_per_second: Rate | None = None
    metadata: Metadata = msgspec.field(default_factory=dict)


class EndpointPatch(Request, frozen=True, kw_only=True):
    """`PATCH /v1/endpoints/{id}`: what is left out stays as it is."""

    url: Url | UnsetType = UNSET
    event_types: EventTypes | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    headers: Headers | UnsetType = UNSET
    """All of them: those that are not named are gone."""
    rate_per_second: Rate | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class Rotation(Request, frozen=True, kw_only=True):
    """`POST …/rotate-secret`."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = 86_400
    """So long the older secrets sign too; 0 retires them at once."""


class Enabling(Request, frozen=True, kw_only=True):
    """`POST …/enable`."""

    backlog: Literal["deliver", "dead"] = "deliver"
    """What becomes of the events that were held."""


class NewReplay(Request, frozen=True, kw_only=True):
    """`POST …/replay`: deliveries of events from then on, as they were made at the time."""

    since: Annotated[datetime, msgspec.Meta(tz=True)]
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """The last moment that counts; null: now."""
    only_failed: bool = False
    dry_run: bool = False
    """Only count them."""


class DeletedEndpoint(Reply, frozen=True, kw_only=True):
    """An endpoint that is no more."""

    id: str
    deleted: bool


class EndpointView(Reply, frozen=True, kw_only=True):
    """An endpoint, without its secrets."""

    id: str
    project: str
    url: str
    """Its query is masked: it may hold a secret. Of an implicit endpoint, the origin."""
    implicit: bool
    """It stands for the `callbackUrl`s of one origin."""
    description: str | None
    event_types: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    failing_since: Moment | None
    headers: tuple[str, ...]
    """Their names alone."""
    rate_per_second: float | None
    metadata: dict[str, str]
    created_at: Moment
    updated_at: Moment


class NewEndpointView(EndpointView, frozen=True, kw_only=True):
    """An endpoint that was just made."""

    secret: str | None
    """Shown this once; null in a repeated answer if it was retired since."""


class SecretView(Reply, frozen=True, kw_only=True):
    """A secret that was just made."""

    key_id: str
    """What attempts that are signed with it record."""
    secret: str | None
    """Shown this once; null in a repeated answer if it was retired since."""


class EndpointTestData(Reply, frozen=True, kw_only=True):
    """Whom it is sent to."""

    endpoint_id: str


class EndpointTest(Reply, frozen=True, kw_only=True):
    """What `POST …/test` sends: signed like any other, and about no task."""

    type: str = "endpoint.test"
    timestamp: Moment
    data: EndpointTestData


class EndpointStateView(Reply, frozen=True, kw_only=True):
    """An endpoint as it stood when it failed, was disabled, or worked again."""

    id: str
    origin: str
    """Of its address, whose path may be a secret."""
    implicit: bool
    enabled: bool
    reason: str | None
    """`failing`: that of the last failed attempt. `disabled`: as `disabledReason`."""
    http_status: int | None
    """What it answered to that attempt, if it did."""
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


class ReplayView(Reply, frozen=True, kw_only=True):
    """A job that sends deliveries again, and how far it has come."""

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
    """Deliveries it has found so far."""
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None
