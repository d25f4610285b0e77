"""The rule for the result of a delivery attempt: it changes the delivery and its endpoint."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.deliveries.commands import DisableEndpoint
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.endpoint_changes import disable
from gateway.domain.deliveries.endpoint_events import emit_endpoint_event
from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import SettleDelivery
from gateway.domain.kernel.unit_of_work import UnitOfWork

DISABLE_AFTER: Final = 5 * 24 * 3_600_000
"""Time of nothing but failure until an endpoint is disabled (milliseconds)."""
FAILING_AFTER: Final = 4 * 60_000
"""Time of nothing but failure until `endpoint.failing` (milliseconds): by then the third attempt of
the first event has failed, so it is more than a restart of the receiver."""
GONE: Final = "gone"
"""The receiver answered that it wants no more (410)."""
FAILING: Final = "failing"
"""Nothing was delivered for five days."""


def settle(unit: UnitOfWork, command: SettleDelivery, now: int) -> Accepted:
    """Records the result, and disables an endpoint that has failed for too long."""
    unit.deliveries.settled.append(command)
    endpoint = unit.outbox.directory.find(command.endpoint_id)
    if endpoint is None or not command.is_attempt:
        return Accepted()
    # The status does not tell: a delivered one may be repeated, and the repetition may fail.
    if command.reason is None:
        _succeed(unit, endpoint, now)
    elif command.is_charged:
        _fail(unit, endpoint, command, now)
    return Accepted()


def _succeed(unit: UnitOfWork, endpoint: Endpoint, now: int) -> None:
    # An attempt in flight may succeed after the endpoint was disabled: it stays disabled.
    if endpoint.failure_event_at is not None and endpoint.enabled:
        emit_endpoint_event(unit, endpoint, "endpoint.recovered", now)
    elif endpoint.failing_since is not None:
        unit.outbox.put_endpoint(replace(endpoint, failing_since=None))


def _fail(unit: UnitOfWork, endpoint: Endpoint, command: SettleDelivery, now: int) -> None:
    if endpoint.failing_since is None:
        endpoint = replace(endpoint, failing_since=command.at)
        unit.outbox.put_endpoint(endpoint)
    if not endpoint.enabled:
        return
    reason = _reason_to_give_up(endpoint, command, now)
    if reason is not None:
        disable(unit, DisableEndpoint(endpoint_id=endpoint.id, reason=reason), now)
    elif endpoint.failure_event_at is None and _fails_for(FAILING_AFTER, endpoint, command, now):
        status = command.http_status
        emit_endpoint_event(
            unit, endpoint, "endpoint.failing", now, reason=command.reason, http_status=status
        )


def _reason_to_give_up(endpoint: Endpoint, command: SettleDelivery, now: int) -> str | None:
    if command.http_status == 410:
        return GONE
    return FAILING if _fails_for(DISABLE_AFTER, endpoint, command, now) else None


def _fails_for(length: int, endpoint: Endpoint, command: SettleDelivery, now: int) -> bool:
    """True if every attempt has failed for this time (milliseconds)."""
    # Two failures of a rarely called receiver may be five days apart. A second attempt shows that
    # one delivery has failed twice in a row.
    is_over = endpoint.failing_since is not None and now - endpoint.failing_since >= length
    return is_over and command.attempts > 1
