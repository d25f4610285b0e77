"""Events about an endpoint, delivered to the other endpoints of its project."""

from typing import Literal

import msgspec
from msgspec.structs import replace

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import EndpointEventData, EndpointState
from gateway.wire.scrubbing import scrub
from gateway.wire.times import maybe_rfc3339

EndpointEventType = Literal["endpoint.failing", "endpoint.disabled", "endpoint.recovered"]


def emit_endpoint_event(
    unit: UnitOfWork,
    endpoint: Endpoint,
    kind: EndpointEventType,
    now: int,
    *,
    reason: str | None = None,
    http_status: int | None = None,
) -> Endpoint:
    """Records the event with its deliveries; returns the changed endpoint.

    An endpoint never gets events about itself: so endpoints that fail at each other's events cannot
    cause an endless series.
    """
    is_well = kind == "endpoint.recovered"
    after = replace(
        endpoint,
        seq=endpoint.seq + 1,
        failure_event_at=None if is_well else endpoint.failure_event_at or now,
        failing_since=None if is_well else endpoint.failing_since,
    )
    unit.outbox.put_endpoint(after)
    data = _data(kind, endpoint, reason, http_status)
    unit.emit(kind, endpoint.id, after.seq, data, unit.outbox.directory.others(endpoint), now=now)
    return after


def _data(
    kind: EndpointEventType, endpoint: Endpoint, reason: str | None, http_status: int | None
) -> bytes:
    """Scrubbed like any stored event: an address may contain a key."""
    state = EndpointState(
        id=endpoint.id,
        origin=endpoint.origin,
        implicit=endpoint.implicit,
        enabled=endpoint.enabled,
        reason=reason,
        http_status=http_status,
        failing_since=maybe_rfc3339(endpoint.failing_since),
    )
    data, _ = scrub(kind, msgspec.json.encode(EndpointEventData(endpoint=state)))
    return data
