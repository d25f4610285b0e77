"""The events about one endpoint: numbered without a gap, and each one news."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway.domain.deliveries.endpoint import Endpoint, Subscription
from gateway.domain.invariants.history import contains_secret
from gateway.domain.invariants.outbox import check_deliveries
from gateway.domain.invariants.task_rows import DeliveryRow, Problem, ProblemName
from gateway.domain.tasks.event import EndpointEventData, Event
from gateway.domain.tasks.task import Frozen

_RECOVERED: Final = "endpoint.recovered"


class EndpointRows(Frozen, frozen=True, kw_only=True):
    """What is kept of one endpoint beside its events."""

    endpoint: Endpoint
    deliveries: tuple[DeliveryRow, ...] = ()
    """Of the events about it."""
    subscriptions: tuple[Subscription, ...] = ()
    """Of the others that may hear of it, in the order of the numbers of events."""


def check_endpoint(rows: EndpointRows, events: Iterable[Event]) -> Iterator[Problem]:
    """What is wrong with it; its events come in the order of their numbers."""
    log = EndpointHistory(rows.endpoint.id)
    for event in events:
        yield from log.take(event)
    yield from log.check_row(rows.endpoint)
    yield from check_deliveries(rows.endpoint.id, rows, log)


class EndpointHistory:
    """What was told of one endpoint; the oldest of it may have been pruned."""

    def __init__(self, endpoint_id: str) -> None:
        self.numbers: dict[int, int] = {}
        self.applied: dict[int, str] = {}
        self.refused: set[int] = set()
        self._endpoint_id = endpoint_id
        self._last: Event | None = None

    def take(self, event: Event) -> Iterator[Problem]:
        """The next event, and what is wrong with it."""
        self.numbers[event.seq] = event.task_seq
        self.applied[event.seq] = event.type
        yield from self._check_numbers(event)
        if contains_secret(event):
            detail = f"event {event.task_seq} ({event.type}) holds what looks like a secret"
            yield self._problem("secret_in_event", detail)
        if not _is_readable(event):
            detail = f"event {event.task_seq} ({event.type}) is not one that this version knows"
            yield self._problem("event_unreadable", detail)
        elif self._last is not None and not _is_news(self._last.type, event.type):
            detail = f"event {event.task_seq} ({event.type}) follows {self._last.type}"
            yield self._problem("forbidden_transition", detail)
        self._last = event

    def check_row(self, endpoint: Endpoint) -> Iterator[Problem]:
        """Whether its row says the same."""
        if self._last is None:
            return
        if self._last.task_seq != endpoint.seq:
            detail = f"its row counts {endpoint.seq} events, the newest is {self._last.task_seq}"
            yield self._problem("row_differs", detail)
        if (self._last.type == _RECOVERED) != (endpoint.told_at is None):
            yield self._problem("row_differs", f"told_at of its row contradicts {self._last.type}")

    def _check_numbers(self, event: Event) -> Iterator[Problem]:
        if self._last is None:
            return
        if event.task_seq != self._last.task_seq + 1:
            detail = f"event {event.task_seq} comes after {self._last.task_seq}"
            yield self._problem("gap_in_task_seq", detail)
        if event.seq <= self._last.seq:
            detail = (
                f"event {event.task_seq} has number {event.seq}, the one before it {self._last.seq}"
            )
            yield self._problem("seq_not_increasing", detail)

    def _problem(self, name: ProblemName, detail: str) -> Problem:
        return Problem(name=name, subject=self._endpoint_id, detail=detail)


def _is_readable(event: Event) -> bool:
    try:
        return isinstance(event.fact, EndpointEventData)
    except (KeyError, msgspec.MsgspecError):
        return False


def _is_news(before: str, kind: str) -> bool:
    """It fails, or works again, only once; one that was enabled may be disabled again."""
    was_well = before == _RECOVERED
    match kind:
        case "endpoint.failing":
            return was_well
        case "endpoint.recovered":
            return not was_well
        case _:
            return True
