"""Purges in the store: the texts of a task go out of its rows, which stay."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.sql.connection import bound
from gateway.store.sql.part import Loading
from gateway.store.sql.pruning import DELETE_PIECES, ERASE_ENV
from gateway.store.sql.rows import EVENT, Params

# Nothing of the others is left, so nobody has to read them: they are most of what an agent sends.
EVENTS_WITH_TEXT: Final = f"""
SELECT {EVENT} FROM events
WHERE task_id IN (SELECT value FROM json_each(:ids))
  AND type NOT IN ('task.heartbeat', 'task.log', 'task.patch', 'task.trajectory')
ORDER BY task_id, task_seq"""

EMPTY_EVENTS: Final = """
UPDATE events SET data = '{}'
WHERE task_id IN (SELECT value FROM json_each(:ids))
  AND type IN ('task.heartbeat', 'task.log', 'task.patch', 'task.trajectory')"""

REWRITE_EVENTS: Final = "UPDATE events SET data = :data WHERE seq = :seq"

EMPTY_JOB_ERRORS: Final = """
UPDATE jobs SET error = NULL
WHERE error IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids))"""

EMPTY_BODIES: Final = """
UPDATE deliveries SET body = NULL
WHERE body IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids))"""

EMPTY_ANSWERS: Final = """
UPDATE delivery_attempts SET response_body = NULL
WHERE response_body IS NOT NULL AND (endpoint_id, seq) IN (
    SELECT endpoint_id, seq FROM deliveries
    WHERE task_id IN (SELECT value FROM json_each(:ids)))"""

PURGES: Final = (EMPTY_EVENTS, EMPTY_JOB_ERRORS, EMPTY_BODIES, EMPTY_ANSWERS, DELETE_PIECES)


async def load_purges(loading: Loading) -> None:
    """The events of tasks that are purged, as far as something of them is left."""
    for event in map(EVENT.read, await loading.of(EVENTS_WITH_TEXT, loading.wanted.purges)):
        loading.unit.purges.events.setdefault(event.task_id, []).append(event)


def write_purges(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Rewritten events, and what goes as a whole."""
    purges = unit.purges
    yield (
        REWRITE_EVENTS,
        [{"seq": event.seq, "data": event.data.decode()} for event in purges.rewritten],
    )
    ids = bound({"ids": purges.purged})
    yield from ((statement, [ids]) for statement in PURGES)
    at = max(unit.tasks[task_id].updated_at for task_id in purges.purged)
    yield ERASE_ENV, [ids | {"at": at}]
