"""The invariants of `lifecycle.md`, as far as they can be read from what is kept of a task."""

from collections.abc import Iterable, Iterator

from gateway.domain.invariants.history import History
from gateway.domain.invariants.outbox import unsettled
from gateway.domain.invariants.task_rows import Problem, TaskRows
from gateway.domain.invariants.task_state import misplaced
from gateway.domain.tasks.event import Event


def broken(books: TaskRows, events: Iterable[Event]) -> Iterator[Problem]:
    """What is wrong with one task; its events come in the order of their numbers."""
    history = History(books.task.id)
    for event in events:
        yield from history.take(event)
    if history.length == 0:
        yield Problem(name="no_events", subject=books.task.id, detail="it has no events")
        return
    yield from misplaced(books, history)
    yield from unsettled(books.task.id, books, history)
