"""Deliveries: events for endpoints, and the attempts to send them."""

from gateway.wire.message import Reply
from gateway.wire.times import Moment


class DeliveryAttemptView(Reply, frozen=True, kw_only=True):
    """One request to the endpoint, and its result."""

    at: Moment
    trigger: str
    status: int | None
    """The HTTP status; null if there was no answer."""
    reason: str | None
    duration_ms: int
    key_id: str | None
    """The secret that signed it."""
    response_body: str | None


class DeliveryView(Reply, frozen=True, kw_only=True):
    """An event for an endpoint, and its state."""

    id: str
    endpoint_id: str
    event_id: str
    task_id: str | None
    """Null for an event about an endpoint."""
    type: str
    status: str
    reason: str | None
    """The reason if it ended without an attempt."""
    next_attempt_at: Moment | None
    attempts: tuple[DeliveryAttemptView, ...]
