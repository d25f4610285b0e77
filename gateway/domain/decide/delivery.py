"""What an attempt to deliver means for its delivery, and for the endpoint it went to."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.commands import Accepted, SettleDelivery
from gateway.domain.decide.endpoint import disable
from gateway.domain.endpoint import Endpoint
from gateway.domain.endpoint_commands import DisableEndpoint
from gateway.domain.view import View

GIVEN_UP_AFTER: Final = 5 * 24 * 3_600_000
"""Milliseconds of nothing but failure."""
GONE: Final = "gone"
"""The receiver itself said that it wants no more (410)."""
FAILING: Final = "failing"
"""Nothing has reached it for five days."""


def settle(view: View, command: SettleDelivery, now: int) -> Accepted:
    """Writes the outcome down; an endpoint that will not hear of it any more is disabled with it,
    so that no crash can come between the two."""
    view.settled.append(command)
    endpoint = view.outbox.directory.find(command.endpoint_id)
    if endpoint is None or not command.is_attempt:
        return Accepted()
    if command.status == "delivered":
        if endpoint.failing_since is not None:
            view.outbox.put_endpoint(replace(endpoint, failing_since=None))
    elif command.is_charged:
        _fail(view, endpoint, command, now)
    return Accepted()


def _fail(view: View, endpoint: Endpoint, command: SettleDelivery, now: int) -> None:
    if endpoint.failing_since is None:
        endpoint = replace(endpoint, failing_since=command.at)
        view.outbox.put_endpoint(endpoint)
    reason = _reason_to_give_up(endpoint, command, now)
    if endpoint.enabled and reason is not None:
        disable(view, DisableEndpoint(endpoint_id=endpoint.id, reason=reason), now)


def _reason_to_give_up(endpoint: Endpoint, command: SettleDelivery, now: int) -> str | None:
    if command.http_status == 410:
        return GONE
    # A receiver that is seldom called may fail once in five days, and the next time: that is not
    # five days of failure. What is tried for the second time has failed twice in a row.
    is_over = endpoint.failing_since is not None and now - endpoint.failing_since >= GIVEN_UP_AFTER
    return FAILING if is_over and command.attempts > 1 else None
