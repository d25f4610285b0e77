"""The invariants of one lane of own events: each is known, and they are in the order of commits."""

from collections.abc import Container, Iterable, Iterator

from gateway.domain.deliveries.endpoint import Subscription
from gateway.domain.deliveries.own_event import OwnEvent
from gateway.domain.invariants.history import EventLog
from gateway.domain.invariants.outbox import check_deliveries
from gateway.domain.invariants.task_rows import DeliveryRow, Problem
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Frozen


class LaneRows(Frozen, frozen=True, kw_only=True):
    """The rows of one lane, without its events."""

    lane: str
    own: tuple[OwnEvent, ...]
    deliveries: tuple[DeliveryRow, ...] = ()
    subscriptions: tuple[tuple[str | None, Subscription], ...] = ()
    """Subscriptions of the endpoints of its project, each with its customer; oldest first."""


def check_lane(rows: LaneRows, events: Iterable[Event]) -> Iterator[Problem]:
    """The problems of a lane; its events come in order."""
    log = LaneLog(rows.lane)
    known = {own.seq for own in rows.own}
    for event in events:
        yield from log.take(event)
        if event.seq not in known:
            detail = f"event {event.task_seq}: the row that names its project is missing"
            yield Problem(name="own_event_torn", subject=rows.lane, detail=detail)
    for customer in dict.fromkeys(own.customer for own in rows.own):
        yield from _check_customer(rows, customer, log)


def _check_customer(rows: LaneRows, customer: str | None, log: "LaneLog") -> Iterator[Problem]:
    """The problems of the events of one customer, or of none: all go to the same endpoints."""
    its = log.of({own.seq for own in rows.own if own.customer == customer})
    deliveries = [each for each in rows.deliveries if each.seq in its.numbers]
    owners = {None, customer}
    subscriptions = [wanted for owner, wanted in rows.subscriptions if owner in owners]
    yield from check_deliveries(rows.lane, deliveries, subscriptions, its)


class LaneLog(EventLog):
    """Own events of one lane; retention may leave gaps, and their data is the application's."""

    def take(self, event: Event) -> Iterator[Problem]:
        """Adds the next event, and yields its problems."""
        self.applied[event.seq] = event.type
        yield from self._check_order(event)

    def of(self, numbers: Container[int]) -> "LaneLog":
        """The events with these numbers alone."""
        part = LaneLog(self._subject)
        part.numbers = {seq: number for seq, number in self.numbers.items() if seq in numbers}
        part.applied = {seq: kind for seq, kind in self.applied.items() if seq in numbers}
        return part
