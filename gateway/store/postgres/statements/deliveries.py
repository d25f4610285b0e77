"""Deliveries in PostgreSQL's own words: it would rather read all events beside those that are shown
than seek each."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import deliveries

_SHARED: Final = "CROSS JOIN events AS event ON event.seq = delivery.seq"
_SOUGHT: Final = """
CROSS JOIN LATERAL (SELECT at, type FROM events WHERE seq = delivery.seq LIMIT 1) AS event"""

OWN: Final[Mapping[str, str]] = {
    statement: statement.replace(_SHARED, _SOUGHT)
    for statement in (
        deliveries.DELIVERIES_OF_ENDPOINT,
        deliveries.ALL_DELIVERIES,
        deliveries.MISSED_DELIVERIES,
        deliveries.PENDING_DELIVERIES,
    )
}
