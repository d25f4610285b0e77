"""The invariants of one alert: it begins and ends in turn, and its events have no gap."""

from collections.abc import Iterable, Iterator

import msgspec

from gateway.domain.deliveries.endpoint import Subscription
from gateway.domain.invariants.history import EventLog
from gateway.domain.invariants.outbox import check_deliveries
from gateway.domain.invariants.task_rows import DeliveryRow, Problem
from gateway.domain.operations.alert import Alert
from gateway.domain.tasks.event import AlertEventData, Event
from gateway.domain.tasks.task import Frozen


class AlertRows(Frozen, frozen=True, kw_only=True):
    """The rows of one alert, without its events."""

    alert: Alert
    deliveries: tuple[DeliveryRow, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    """Subscriptions of the endpoints of all projects, oldest first."""


def check_alert(rows: AlertRows, events: Iterable[Event]) -> Iterator[Problem]:
    """The problems of an alert; its events come in order."""
    history = AlertHistory(rows.alert.id)
    for event in events:
        yield from history.take(event)
    yield from history.check_row(rows.alert)
    yield from check_deliveries(rows.alert.id, rows.deliveries, rows.subscriptions, history)


class AlertHistory(EventLog):
    """The events of an alert so far; the oldest ones may have been pruned."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(alert_id)
        self._state: str | None = None

    def take(self, event: Event) -> Iterator[Problem]:
        """Adds the next event, and yields its problems."""
        yield from self._follow(event)
        state = _state(event)
        if state is None:
            yield self._unreadable(event)
        elif state == self._state:
            yield self._problem("forbidden_transition", f"event {event.task_seq} repeats {state}")
        self._state = state

    def check_row(self, alert: Alert) -> Iterator[Problem]:
        """The differences between the row of the alert and its events."""
        yield from self._check_count(alert.seq)
        if self._last is not None and (self._state == "firing") != (alert.since is not None):
            yield self._problem("row_differs", f"its row contradicts its last event, {self._state}")


def _state(event: Event) -> str | None:
    try:
        fact = event.fact
    except (KeyError, msgspec.MsgspecError):
        return None
    return fact.state if isinstance(fact, AlertEventData) else None
