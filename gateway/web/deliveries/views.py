"""Endpoints, deliveries and replays as they are shown."""

from gateway.domain.deliveries.endpoint import Endpoint, wanted_types
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.ids import delivery_id, event_id
from gateway.domain.tasks.event import ABOUT_ENDPOINTS, FACTS, EndpointState
from gateway.store.records import Delivery, DeliveryAttempt
from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.endpoints import EndpointStateView, EndpointView, ReplayView
from gateway.wire.times import maybe_rfc3339, rfc3339


def endpoint_view(endpoint: Endpoint) -> EndpointView:
    """An endpoint; one that names no types shows those it gets."""
    usual = wanted_types(None)
    return EndpointView(
        id=endpoint.id,
        project=endpoint.project,
        url=endpoint.shown_url or endpoint.origin,
        implicit=endpoint.implicit,
        description=endpoint.description,
        event_types=endpoint.event_types or tuple(name for name in FACTS if name in usual),
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        failing_since=maybe_rfc3339(endpoint.failing_since),
        headers=endpoint.header_names,
        rate_per_second=endpoint.rate_per_second,
        metadata=endpoint.metadata,
        created_at=rfc3339(endpoint.created_at),
        updated_at=rfc3339(endpoint.updated_at),
    )


def endpoint_state_view(state: EndpointState) -> EndpointStateView:
    """An endpoint as an event tells of it."""
    return EndpointStateView(
        id=state.id,
        origin=state.origin,
        implicit=state.implicit,
        enabled=state.enabled,
        reason=state.reason,
        http_status=state.http_status,
        failing_since=state.failing_since,
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery with its attempts."""
    return DeliveryView(
        id=delivery_id(delivery.endpoint_id, delivery.seq),
        endpoint_id=delivery.endpoint_id,
        event_id=event_id(delivery.event_at, delivery.seq),
        task_id=None if delivery.type in ABOUT_ENDPOINTS else delivery.task_id,
        type=delivery.type,
        status=delivery.status,
        reason=delivery.reason,
        next_attempt_at=maybe_rfc3339(delivery.next_attempt_at),
        attempts=tuple(map(attempt_view, delivery.attempts)),
    )


def attempt_view(attempt: DeliveryAttempt) -> DeliveryAttemptView:
    """One attempt."""
    return DeliveryAttemptView(
        at=rfc3339(attempt.at),
        trigger=attempt.trigger,
        status=attempt.status,
        reason=attempt.reason,
        duration_ms=attempt.duration_ms,
        key_id=attempt.key_id,
        response_body=attempt.response_body,
    )


def replay_view(replay: Replay) -> ReplayView:
    """A job as it stands."""
    return ReplayView(
        id=replay.id,
        endpoint_id=replay.endpoint_id,
        kind=replay.kind,
        status=replay.status,
        since=maybe_rfc3339(replay.since),
        until=maybe_rfc3339(replay.until),
        only_failed=replay.only_failed,
        dry_run=replay.dry_run,
        matched=replay.matched,
        created_at=rfc3339(replay.created_at),
        updated_at=rfc3339(replay.updated_at),
        finished_at=maybe_rfc3339(replay.finished_at),
    )
