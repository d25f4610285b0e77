"""The audit: every task recomputed from its events and compared with its row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from gateway.domain.event import Event
from gateway.domain.evolve import fold
from gateway.domain.task import Clocks, Frozen, Task
from gateway.store import rows
from gateway.store import statements as sql

_ALL_TASKS: Final = f"SELECT {sql.TASK_COLUMNS} FROM tasks ORDER BY id"  # noqa: S608 - constants
_ALL_EVENTS: Final = f"SELECT {sql.EVENT_COLUMNS} FROM events ORDER BY task_id, task_seq"  # noqa: S608 - constants
_PENDING: Final = "SELECT count(*) FROM deliveries WHERE status = 'pending'"
_UNDELIVERED: Final = """
SELECT count(*) FROM events AS event JOIN tasks AS task ON task.id = event.task_id
WHERE event.applied = 1 AND task.endpoint_id IS NOT NULL
  AND event.type NOT IN ('task.heartbeat', 'task.log', 'task.patch')
  AND NOT EXISTS (
      SELECT 1 FROM deliveries
      WHERE deliveries.endpoint_id = task.endpoint_id AND deliveries.seq = event.seq)"""


class Audit(Frozen, frozen=True, kw_only=True):
    """What was found."""

    tasks: int
    events: int
    pending: int
    """Deliveries that are still to be made."""
    problems: tuple[str, ...]


def audit(path: Path) -> Audit:
    """Reads one consistent moment of the database; a gateway may run."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
        database.execute("BEGIN")
        stored = {row[0]: rows.task_from_row(row) for row in database.execute(_ALL_TASKS)}
        events = [rows.event_from_row(row) for row in database.execute(_ALL_EVENTS)]
        (pending,) = database.execute(_PENDING).fetchone()
        (undelivered,) = database.execute(_UNDELIVERED).fetchone()
    problems = list(_problems(stored, events))
    if undelivered:
        problems.append(f"{undelivered} applied events have no delivery to their endpoint")
    return Audit(tasks=len(stored), events=len(events), pending=pending, problems=tuple(problems))


def _problems(stored: dict[str, Task], events: list[Event]) -> Iterator[str]:
    told = {
        task_id: list(group) for task_id, group in groupby(events, key=lambda event: event.task_id)
    }
    for task_id in stored.keys() - told.keys():
        yield f"{task_id}: has no events"
    for task_id, history in told.items():
        yield from _compare(task_id, stored.get(task_id), history)


def _compare(task_id: str, stored: Task | None, history: list[Event]) -> Iterator[str]:
    if stored is None:
        yield f"{task_id}: has events and no row"
        return
    if [event.task_seq for event in history] != list(range(1, len(history) + 1)):
        yield f"{task_id}: its events are not numbered without a gap"
        return
    folded, kept = _folded_part(fold(history)), _folded_part(stored)
    for name in Task.__struct_fields__:
        if getattr(folded, name) != getattr(kept, name):
            yield f"{task_id}: {name} of its row is not what its events tell"


def _folded_part(task: Task) -> Task:
    """Without what is a promise about the future and not folded."""
    return replace(task, clocks=Clocks(), claimable_at=None)
