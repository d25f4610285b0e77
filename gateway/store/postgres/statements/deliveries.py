"""Deliveries in PostgreSQL's own words: it would rather read all events beside those that are shown
than seek each."""

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import deliveries

_SHARED: Final = "CROSS JOIN events AS event ON event.seq = delivery.seq"
_SOUGHT: Final = """
CROSS JOIN LATERAL (SELECT at, type FROM events WHERE seq = delivery.seq LIMIT 1) AS event"""
# Else it would ask of each delivery of an endpoint whether it is one of the newest.
_NEWEST_OF_OWNER: Final = """LATERAL (
    SELECT * FROM deliveries
    WHERE endpoint_id = owner.id AND seq <= :seq
      AND (CAST(:status AS TEXT) IS NULL OR status = :status)
    ORDER BY seq DESC LIMIT :limit + 1) AS delivery"""

OWN: Final[Mapping[str, str]] = {
    statement: statement.replace(_SHARED, _SOUGHT)
    for statement in (
        deliveries.DELIVERIES_OF_ENDPOINT,
        deliveries.ALL_DELIVERIES,
        deliveries.MISSED_DELIVERIES,
        deliveries.PENDING_DELIVERIES,
    )
} | {
    deliveries.DELIVERIES_OF_CUSTOMER: deliveries.DELIVERIES_OF_CUSTOMER.replace(
        deliveries.NEWEST_OF_OWNER, _NEWEST_OF_OWNER
    ).replace(_SHARED, _SOUGHT)
}
