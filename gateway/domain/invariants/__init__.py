"""The invariants of `lifecycle.md`, as far as they can be read from what is kept of a task."""

from collections.abc import Iterable, Iterator

from gateway.domain.invariants.history import History
from gateway.domain.invariants.outbox import check_deliveries
from gateway.domain.invariants.task_rows import Problem, TaskRows
from gateway.domain.invariants.task_state import check_rows
from gateway.domain.tasks.event import Event


def check_task(rows: TaskRows, events: Iterable[Event]) -> Iterator[Problem]:
    """What is wrong with one task; its events come in the order of their numbers."""
    history = History(rows.task.id)
    for event in events:
        yield from history.take(event)
    if history.length == 0:
        yield Problem(name="no_events", subject=rows.task.id, detail="it has no events")
        return
    yield from check_rows(rows, history)
    yield from check_deliveries(rows.task.id, rows, history)
