"""What a task's events owe to its endpoint: one delivery each, that ends and is not forgotten."""

from collections.abc import Iterator
from typing import Final

from gateway.domain.invariants.books import Books, DeliveryRow, Problem, ProblemName
from gateway.domain.invariants.history import History

STATES: Final = frozenset({"pending", "delivered", "dead", "superseded", "held"})


def unsettled(books: Books, history: History) -> Iterator[Problem]:
    """What is wrong with the deliveries of its events."""
    for name, detail in (*_missing(books, history), *_wrong(books, history)):
        yield Problem(name=name, subject=books.task.id, detail=detail)


def _missing(books: Books, history: History) -> Iterator[tuple[ProblemName, str]]:
    endpoint_id = books.task.endpoint_id
    if endpoint_id is None:
        return
    made = {owed.seq for owed in books.deliveries if owed.endpoint_id == endpoint_id}
    for seq in sorted(history.owed - made):
        yield "delivery_missing", f"event {history.numbers[seq]} has no delivery to {endpoint_id}"


def _wrong(books: Books, history: History) -> Iterator[tuple[ProblemName, str]]:
    for owed in books.deliveries:
        told = f"the delivery of event {owed.task_seq} to {owed.endpoint_id}"
        if owed.seq in history.refused:
            yield "delivery_of_refused", f"{told} is of an event that was refused"
        if history.numbers.get(owed.seq) != owed.task_seq:
            yield "delivery_differs", f"{told} is of event number {owed.seq}, which is not that one"
        yield from _state(owed, told)


def _state(owed: DeliveryRow, told: str) -> Iterator[tuple[ProblemName, str]]:
    if owed.status not in STATES:
        yield "delivery_state", f"{told} is '{owed.status}', which is no state"
    if (owed.status == "pending") != (owed.next_attempt_at is not None):
        yield "delivery_state", f"{told} is {owed.status}, and its next attempt says otherwise"
    if owed.status == "delivered" and not owed.attempts:
        yield "delivery_state", f"{told} is delivered, and was never attempted"
