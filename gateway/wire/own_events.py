"""Own events: the request that posts one, its receipt, and the body that is delivered."""

from typing import Annotated, Any, Final

import msgspec

from gateway.wire.message import Change, JSONObject, Reply, Request, WithoutNul
from gateway.wire.times import Moment

DATA_BYTES: Final = 256 * 1024
EventTypeName = Annotated[
    str,
    msgspec.Meta(max_length=128, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$(?!\n)"),
    msgspec.Meta(description="words of letters, digits, `_` and `-` with dots between them"),
]
Key = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=128, pattern=r"^[\u0020-\u007e]*$(?!\n)"),
    msgspec.Meta(description="one line of printable ASCII"),
]
"""An id that is the application's own."""


class NewEvent(Request, frozen=True, kw_only=True):
    """`POST /v1/events`."""

    type: EventTypeName
    """`invoice.paid`; not of a family of ours, such as `task`."""
    data: JSONObject
    """At most 256 KiB; delivered byte for byte."""
    customer: Key | None = None
    """It goes to the endpoints of this customer too, and to those of no other."""
    event_id: Key | None = None
    """The application's own id: the same event again is the same event."""
    ordering_key: Key | None = None
    """Events with the same key are delivered one after the other."""


class NewEvents(Request, frozen=True, kw_only=True):
    """`POST /v1/events/batch`: all of them are taken, or none."""

    events: Annotated[tuple[NewEvent, ...], msgspec.Meta(min_length=1, max_length=100)]


class NewEventType(Change, frozen=True, kw_only=True):
    """`PUT /v1/event-types/{name}`: the whole description of a type."""

    description: Annotated[WithoutNul, msgspec.Meta(max_length=1_000)]
    schema: dict[str, Any] | None = None
    """JSON Schema 2020-12 that `data` has to match: at most 64 KiB, without `$ref` to another
    document and without recursion."""
    example: dict[str, Any] | None = None
    """An example of `data`."""
    deprecated: bool = False


class EventTypeView(Reply, frozen=True, kw_only=True):
    """A type of events."""

    name: str
    description: str
    schema: dict[str, Any] | None
    example: dict[str, Any] | None
    deprecated: bool
    built_in: bool
    """True for the types of slipgate itself."""
    created_at: Moment | None
    """Null of a type that is built in."""
    updated_at: Moment | None


class DeletedEventType(Reply, frozen=True, kw_only=True):
    """A type that the catalogue no longer has."""

    name: str
    deleted: bool


class NewPortalLink(Request, frozen=True, kw_only=True):
    """`POST /v1/portal-links`."""

    customer: Key
    expires_in_seconds: Annotated[int, msgspec.Meta(ge=60, le=604_800)] = 3_600
    """The time after which the link, and who has come by it, sees nothing more."""


class PortalLinkView(Reply, frozen=True, kw_only=True):
    """A link to the portal of one customer."""

    url: str
    customer: str
    expires_at: Moment


class ExpirePortalLinks(Change, frozen=True, kw_only=True):
    """`POST /v1/portal-links/expire-all`."""

    customer: Key


class ExpiredPortalLinks(Reply, frozen=True, kw_only=True):
    """A customer whose links and sessions are ended; the next link works."""

    customer: str
    expired: bool
    """False of a dry run."""


class PostedEventView(Reply, frozen=True, kw_only=True):
    """An own event, stored with its deliveries."""

    id: str
    """The `webhook-id` of its deliveries."""
    seq: int
    """Its number in the event feed."""
    type: str
    at: Moment
    customer: str | None
    event_id: str | None
    deliveries: int
    """Endpoints that it goes to."""


class PostedEventsView(Reply, frozen=True, kw_only=True):
    """Own events, stored together."""

    data: tuple[PostedEventView, ...]
    """One for each, in the order in which they were given."""


class OwnEventNotice(Reply, frozen=True, kw_only=True):
    """The body of a webhook about an own event."""

    type: str
    timestamp: Moment
    """Of the moment at which it was accepted."""
    data: JSONObject
    """As it was given."""
