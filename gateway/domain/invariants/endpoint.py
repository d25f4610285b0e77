"""The invariants of one endpoint: its events have no gap, and each changes its state."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway.domain.deliveries.endpoint import Endpoint, Subscription
from gateway.domain.invariants.history import EventLog
from gateway.domain.invariants.outbox import check_deliveries
from gateway.domain.invariants.task_rows import DeliveryRow, Problem
from gateway.domain.tasks.event import EndpointEventData, Event
from gateway.domain.tasks.task import Frozen

_RECOVERED: Final = "endpoint.recovered"


class EndpointRows(Frozen, frozen=True, kw_only=True):
    """The rows of one endpoint, without its events."""

    endpoint: Endpoint
    deliveries: tuple[DeliveryRow, ...] = ()
    """Deliveries of the events about it."""
    subscriptions: tuple[Subscription, ...] = ()
    """Subscriptions of the other endpoints of its project, oldest first."""


def check_endpoint(rows: EndpointRows, events: Iterable[Event]) -> Iterator[Problem]:
    """The problems of an endpoint; its events come in order."""
    history = EndpointHistory(rows.endpoint.id)
    for event in events:
        yield from history.take(event)
    yield from history.check_row(rows.endpoint)
    yield from check_deliveries(rows.endpoint.id, rows.deliveries, rows.subscriptions, history)


class EndpointHistory(EventLog):
    """The events about an endpoint so far; the oldest ones may have been pruned."""

    def take(self, event: Event) -> Iterator[Problem]:
        """Adds the next event, and yields its problems."""
        last = self._last
        yield from self._follow(event)
        if not _is_readable(event):
            yield self._unreadable(event)
        elif last is not None and not _is_change(last.type, event.type):
            detail = f"event {event.task_seq} ({event.type}) follows {last.type}"
            yield self._problem("forbidden_transition", detail)

    def check_row(self, endpoint: Endpoint) -> Iterator[Problem]:
        """The differences between the endpoint's row and its events."""
        yield from self._check_count(endpoint.seq)
        last = self._last
        if last is not None and (last.type == _RECOVERED) != (endpoint.failure_event_at is None):
            yield self._problem("row_differs", f"told_at of its row contradicts {last.type}")


def _is_readable(event: Event) -> bool:
    try:
        return isinstance(event.fact, EndpointEventData)
    except (KeyError, msgspec.MsgspecError):
        return False


def _is_change(before: str, kind: str) -> bool:
    """False for a repeated failure or recovery; an enabled endpoint may be disabled again."""
    if kind == "endpoint.failing":
        return before == _RECOVERED
    return kind != _RECOVERED or before != _RECOVERED
