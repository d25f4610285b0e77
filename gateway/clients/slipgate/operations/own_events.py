"""Events of an application's own types."""

from collections.abc import Mapping
from typing import Any

from slipgate.declaration import operation
from slipgate.types import PostedEvent


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
