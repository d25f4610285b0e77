"""Deliveries as they are shown: an event owed to an endpoint, and every attempt to bring it."""

from gateway.wire.message import Reply
from gateway.wire.times import Moment


class DeliveryAttemptView(Reply, frozen=True, kw_only=True):
    """One request to the endpoint, and what came of it."""

    at: Moment
    trigger: str
    status: int | None
    """HTTP; null if there was no answer."""
    reason: str | None
    duration_ms: int
    key_id: str | None
    """The secret it was signed with."""
    response_body: str | None


class DeliveryView(Reply, frozen=True, kw_only=True):
    """An event owed to an endpoint, and how that stands."""

    id: str
    endpoint_id: str
    event_id: str
    task_id: str | None
    """Null for an event about an endpoint."""
    type: str
    status: str
    reason: str | None
    """Why it ended without an attempt."""
    next_attempt_at: Moment | None
    attempts: tuple[DeliveryAttemptView, ...]
