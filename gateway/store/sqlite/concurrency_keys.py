"""Concurrency keys in the store: how many attempts hold them, and when they were taken."""

import json
from collections.abc import Iterable
from typing import Final

import aiosqlite

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.task import Status, Task
from gateway.store.sqlite import rows

KEYS_IN_USE: Final = """
SELECT project || '/' || concurrency_key, count(*) FROM tasks
WHERE concurrency_key IS NOT NULL AND status IN ('launching', 'running')
  AND (project, concurrency_key) IN (
      SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:keys))
GROUP BY 1"""

# Two seeks and no OR, which would read all periods a key ever had.
KEYS_TAKEN: Final = """
SELECT period.project, period.concurrency_key, period.taken_at, period.freed_at
FROM json_each(:keys) AS wanted CROSS JOIN taken_keys AS period
    ON period.project = json_extract(wanted.value, '$[0]')
    AND period.concurrency_key = json_extract(wanted.value, '$[1]')
    AND period.freed_at > :since
UNION ALL
SELECT period.project, period.concurrency_key, period.taken_at, period.freed_at
FROM json_each(:keys) AS wanted CROSS JOIN taken_keys AS period
    ON period.project = json_extract(wanted.value, '$[0]')
    AND period.concurrency_key = json_extract(wanted.value, '$[1]')
    AND period.freed_at IS NULL"""

UPSERT_TAKEN: Final = """
INSERT OR REPLACE INTO taken_keys (project, concurrency_key, taken_at, freed_at)
VALUES (?, ?, ?, ?)"""

# A task may wait for its key for days, and all that time its queue clock stands still.
FORGET_TAKEN: Final = """
DELETE FROM taken_keys WHERE (project, concurrency_key, taken_at) IN (
    SELECT project, concurrency_key, taken_at FROM taken_keys
    WHERE freed_at <= :before LIMIT 500)"""


async def load_keys(connection: aiosqlite.Connection, view: UnitOfWork, now: int) -> None:
    """What is known of the keys of the tasks that wait or run."""
    living = [
        task
        for task in view.tasks.values()
        if task.concurrency_key is not None and not task.status.is_terminal
    ]
    if not living:
        return
    keys = json.dumps(sorted({(task.project, task.concurrency_key) for task in living}))
    counts = await connection.execute_fetchall(KEYS_IN_USE, {"keys": keys})
    view.keys_in_use = {row[0]: row[1] for row in counts}
    given = {"keys": keys, "since": _waiting_since(living, now)}
    for row in await connection.execute_fetchall(KEYS_TAKEN, given):
        period = rows.taken_from_row(row)
        key = f"{period.project}/{period.concurrency_key}"
        view.taken[key] = (*view.taken.get(key, ()), period)


def _waiting_since(tasks: Iterable[Task], now: int) -> int:
    queued = (task.claimable_at for task in tasks if task.status is Status.QUEUED)
    return min((since for since in queued if since is not None), default=now)
