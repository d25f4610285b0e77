"""What events owe to endpoints: one delivery each, that ends and is not forgotten."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from gateway.domain.deliveries.endpoint import Subscription, wanted_types
from gateway.domain.deliveries.replay import FOR_EVER
from gateway.domain.invariants.task_rows import DeliveryRow, Problem, ProblemName

STATES: Final = frozenset({"pending", "delivered", "dead", "superseded", "held"})


class Log(Protocol):
    """The events of a task, or about an endpoint."""

    @property
    def numbers(self) -> Mapping[int, int]:
        """Each event's number among the others, by its number in the log."""

    @property
    def applied(self) -> Mapping[int, str]:
        """The types of events that endpoints may get, by their numbers in the log."""

    @property
    def refused(self) -> AbstractSet[int]:
        """The numbers in the log of those that no endpoint gets."""


class Owing(Protocol):
    """What is kept beside the log."""

    @property
    def deliveries(self) -> Sequence[DeliveryRow]:
        """Those of its events."""

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """Of the endpoints that may hear of it, in the order of the numbers of events."""


def unsettled(subject: str, books: Owing, log: Log) -> Iterator[Problem]:
    """What is wrong with the deliveries of its events."""
    for name, detail in (*_missing(books, log), *_wrong(books, log)):
        yield Problem(name=name, subject=subject, detail=detail)


def _missing(books: Owing, log: Log) -> Iterator[tuple[ProblemName, str]]:
    """An endpoint is owed what it wanted when the event came, and nothing else."""
    made: dict[str, set[int]] = defaultdict(set)
    for owed in books.deliveries:
        made[owed.endpoint_id].add(owed.seq)
    wanted: dict[str, list[Subscription]] = defaultdict(list)
    for subscription in books.subscriptions:
        wanted[subscription.endpoint_id].append(subscription)
    for endpoint_id in sorted(wanted.keys() | made):
        owed_to = _owed(log, wanted[endpoint_id])
        for seq in sorted(owed_to - made[endpoint_id]):
            detail = f"event {log.numbers[seq]} has no delivery to {endpoint_id}"
            yield "delivery_missing", detail
        for seq in sorted((made[endpoint_id] & log.applied.keys()) - owed_to):
            detail = f"event {log.numbers[seq]} has a delivery to {endpoint_id}"
            yield "delivery_unasked", f"{detail}, which did not want it"


def _owed(log: Log, subscriptions: Sequence[Subscription]) -> set[int]:
    """The events that came while an endpoint wanted their types."""
    ends = [each.after_seq for each in subscriptions[1:]]
    return {
        seq
        for wanted, end in zip(subscriptions, [*ends, FOR_EVER], strict=False)
        for seq, kind in log.applied.items()
        if wanted.after_seq < seq <= end and kind in wanted_types(wanted.event_types)
    }


def _wrong(books: Owing, log: Log) -> Iterator[tuple[ProblemName, str]]:
    for owed in books.deliveries:
        told = f"the delivery of event {owed.task_seq} to {owed.endpoint_id}"
        if owed.seq in log.refused:
            yield "delivery_of_refused", f"{told} is of an event that was refused"
        if log.numbers.get(owed.seq) != owed.task_seq:
            yield "delivery_differs", f"{told} is of event number {owed.seq}, which is not that one"
        yield from _state(owed, told)


def _state(owed: DeliveryRow, told: str) -> Iterator[tuple[ProblemName, str]]:
    if owed.status not in STATES:
        yield "delivery_state", f"{told} is '{owed.status}', which is no state"
    if (owed.status == "pending") != (owed.next_attempt_at is not None):
        yield "delivery_state", f"{told} is {owed.status}, and its next attempt says otherwise"
    if owed.status == "delivered" and not owed.attempts:
        yield "delivery_state", f"{told} is delivered, and was never attempted"
