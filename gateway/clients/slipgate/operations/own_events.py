"""Events of an application's own types."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from slipgate.declaration import listing, operation
from slipgate.types import (
    DeletedEventType,
    EventType,
    ExpiredPortalLinks,
    Page,
    PortalLink,
    PostedEvent,
    PostedEvents,
)

_EVENT_TYPE: Final = "/v1/event-types/{event_type}"


class OwnEvents:
    """Calls about own events; they need a key of scope `tasks` or `ops`."""

    @operation("POST", "/v1/events")
    def post_event(
        self,
        *,
        type: str,
        data: Mapping[str, Any],
        customer: str | None = None,
        event_id: str | None = None,
        ordering_key: str | None = None,
        idempotency_key: str | None = None,
    ) -> PostedEvent:
        """Sends an event to the endpoints that name its type, once for each `event_id`."""

    @operation("POST", "/v1/events/batch")
    def post_events(
        self, *, events: Sequence[Mapping[str, Any]], idempotency_key: str | None = None
    ) -> PostedEvents:
        """Sends up to 100 events, each a mapping with the fields of `POST /v1/events`: all of them
        or none."""

    @operation("PUT", _EVENT_TYPE)
    def put_event_type(
        self,
        event_type: str,
        *,
        description: str,
        schema: Mapping[str, Any] | None = None,
        example: Mapping[str, Any] | None = None,
        deprecated: bool = False,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> EventType:
        """Describes a type; with a `schema`, data that does not match is refused."""

    @listing("/v1/event-types")
    def event_types(
        self, *, built_in: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[EventType]:
        """The types of the project by name; `built_in="true"`: those of slipgate."""

    @operation("GET", _EVENT_TYPE)
    def get_event_type(self, event_type: str) -> EventType:
        """A type, your own or one of slipgate."""

    @operation("DELETE", _EVENT_TYPE)
    def delete_event_type(
        self, event_type: str, *, reason: str | None = None, dry_run: bool = False
    ) -> DeletedEventType:
        """Takes a type out of the catalogue."""

    @operation("POST", "/v1/portal-links")
    def create_portal_link(
        self, *, customer: str, expires_in_seconds: int | None = None
    ) -> PortalLink:
        """A link to a page where the customer manages its own endpoints."""

    @operation("POST", "/v1/portal-links/expire-all")
    def expire_portal_links(
        self, *, customer: str, reason: str | None = None, dry_run: bool = False
    ) -> ExpiredPortalLinks:
        """Ends all links and sessions of a customer; the next link works."""
