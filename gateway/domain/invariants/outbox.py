"""The invariants of deliveries: one per event and subscribed endpoint, each in a possible state."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.deliveries.endpoint import Subscription, is_wanted
from gateway.domain.deliveries.replay import NO_LIMIT
from gateway.domain.invariants.history import EventLog
from gateway.domain.invariants.task_rows import DeliveryRow, Finding, Problem

STATES: Final = frozenset({"pending", "delivered", "dead", "superseded", "held"})


def check_deliveries(
    subject: str,
    deliveries: Sequence[DeliveryRow],
    subscriptions: Sequence[Subscription],
    log: EventLog,
) -> Iterator[Problem]:
    """The problems of the deliveries of a task or an endpoint; subscriptions are oldest first."""
    found = (*_unequal(deliveries, subscriptions, log), *_wrong(deliveries, log))
    for name, detail in found:
        yield Problem(name=name, subject=subject, detail=detail)


def _unequal(
    deliveries: Sequence[DeliveryRow], subscriptions: Sequence[Subscription], log: EventLog
) -> Iterator[Finding]:
    """An endpoint gets the events of the types that it wanted at their time, and no others."""
    made: dict[str, set[int]] = defaultdict(set)
    for delivery in deliveries:
        made[delivery.endpoint_id].add(delivery.seq)
    wanted: dict[str, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        wanted[subscription.endpoint_id].append(subscription)
    for endpoint_id in sorted(wanted.keys() | made):
        due = _wanted_events(log, wanted[endpoint_id])
        for seq in sorted(due - made[endpoint_id]):
            yield "delivery_missing", f"event {log.numbers[seq]} has no delivery to {endpoint_id}"
        for seq in sorted((made[endpoint_id] & log.applied.keys()) - due):
            detail = f"event {log.numbers[seq]} has a delivery to {endpoint_id}"
            yield "delivery_unasked", f"{detail}, which did not want it"


def _wanted_events(log: EventLog, subscriptions: Sequence[Subscription]) -> set[int]:
    ends = [each.after_seq for each in subscriptions[1:]]
    return {
        seq
        for wanted, end in zip(subscriptions, [*ends, NO_LIMIT], strict=False)
        for seq, kind in log.applied.items()
        if wanted.after_seq < seq <= end and is_wanted(wanted.event_types, kind)
    }


def _wrong(deliveries: Sequence[DeliveryRow], log: EventLog) -> Iterator[Finding]:
    for delivery in deliveries:
        name = f"the delivery of event {delivery.task_seq} to {delivery.endpoint_id}"
        if delivery.seq in log.refused:
            yield "delivery_of_refused", f"{name} is of an event that was refused"
        if log.numbers.get(delivery.seq) != delivery.task_seq:
            yield "delivery_differs", f"{name} is of another event, number {delivery.seq}"
        yield from _state(delivery, name)


def _state(delivery: DeliveryRow, name: str) -> Iterator[Finding]:
    if delivery.status not in STATES:
        yield "delivery_state", f"{name} is '{delivery.status}', which is no state"
    if (delivery.status == "pending") != (delivery.next_attempt_at is not None):
        yield "delivery_state", f"{name} is {delivery.status}, and its next attempt says otherwise"
    if delivery.status == "delivered" and not delivery.attempts:
        yield "delivery_state", f"{name} is delivered, and was never attempted"
