"""What events owe to endpoints: one delivery each, that ends and is not forgotten."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from gateway.domain.deliveries.endpoint import Subscription, wanted_types
from gateway.domain.deliveries.replay import NO_LIMIT
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


class OutboxRows(Protocol):
    """What is kept beside the log."""

    @property
    def deliveries(self) -> Sequence[DeliveryRow]:
        """Those of its events."""

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """Of the endpoints that may hear of it, in the order of the numbers of events."""


def check_deliveries(subject: str, rows: OutboxRows, log: Log) -> Iterator[Problem]:
    """What is wrong with the deliveries of its events."""
    for name, detail in (*_missing(rows, log), *_wrong(rows, log)):
        yield Problem(name=name, subject=subject, detail=detail)


def _missing(rows: OutboxRows, log: Log) -> Iterator[tuple[ProblemName, str]]:
    """An endpoint is delivery what it wanted when the event came, and nothing else."""
    made: dict[str, set[int]] = defaultdict(set)
    for delivery in rows.deliveries:
        made[delivery.endpoint_id].add(delivery.seq)
    wanted: dict[str, list[Subscription]] = defaultdict(list)
    for subscription in rows.subscriptions:
        wanted[subscription.endpoint_id].append(subscription)
    for endpoint_id in sorted(wanted.keys() | made):
        wanted_seqs = _wanted_by(log, wanted[endpoint_id])
        for seq in sorted(wanted_seqs - made[endpoint_id]):
            detail = f"event {log.numbers[seq]} has no delivery to {endpoint_id}"
            yield "delivery_missing", detail
        for seq in sorted((made[endpoint_id] & log.applied.keys()) - wanted_seqs):
            detail = f"event {log.numbers[seq]} has a delivery to {endpoint_id}"
            yield "delivery_unasked", f"{detail}, which did not want it"


def _wanted_by(log: Log, subscriptions: Sequence[Subscription]) -> set[int]:
    """The events that came while an endpoint wanted their types."""
    ends = [each.after_seq for each in subscriptions[1:]]
    return {
        seq
        for wanted, end in zip(subscriptions, [*ends, NO_LIMIT], strict=False)
        for seq, kind in log.applied.items()
        if wanted.after_seq < seq <= end and kind in wanted_types(wanted.event_types)
    }


def _wrong(rows: OutboxRows, log: Log) -> Iterator[tuple[ProblemName, str]]:
    for delivery in rows.deliveries:
        name = f"the delivery of event {delivery.task_seq} to {delivery.endpoint_id}"
        if delivery.seq in log.refused:
            yield "delivery_of_refused", f"{name} is of an event that was refused"
        if log.numbers.get(delivery.seq) != delivery.task_seq:
            yield ("delivery_differs", f"{name} is of another event, number {delivery.seq}")
        yield from _state(delivery, name)


def _state(delivery: DeliveryRow, name: str) -> Iterator[tuple[ProblemName, str]]:
    if delivery.status not in STATES:
        yield "delivery_state", f"{name} is '{delivery.status}', which is no state"
    if (delivery.status == "pending") != (delivery.next_attempt_at is not None):
        yield "delivery_state", f"{name} is {delivery.status}, and its next attempt says otherwise"
    if delivery.status == "delivered" and not delivery.attempts:
        yield "delivery_state", f"{name} is delivered, and was never attempted"
