"""Retention in SQL: what goes, table by table, in the order that the foreign keys allow."""

import json
from collections.abc import Iterator
from typing import Final

from gateway.domain.kernel.unit_of_work import Pruning
from gateway.domain.sources.message import WINDOW
from gateway.store.sqlite.concurrency_keys import FORGET_TAKEN
from gateway.store.sqlite.rows import Params
from gateway.store.sqlite.sources import FORGET_MESSAGES
from gateway.store.sqlite.workspaces import DELETE_WORKSPACES

# ruff: noqa: S608 - what is put into a statement here is a constant selection

# Whoever deletes events says so here, in the same transaction: a cursor before that number has
# missed something.
RAISE_PRUNED: Final = """
INSERT INTO pruned (project, seq)
SELECT task.project, max(event.seq)
FROM json_each(:ids) AS going CROSS JOIN tasks AS task ON task.id = going.value
CROSS JOIN events AS event ON event.task_id = task.id AND event.task_seq = task.seq
GROUP BY task.project
ON CONFLICT (project) DO UPDATE SET seq = max(seq, excluded.seq)"""

ERASE_ENV: Final = """
UPDATE task_secrets SET env = NULL, env_erased_at = :at
WHERE env IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids))"""

FORGET_IDEMPOTENCY: Final = """
DELETE FROM idempotency WHERE (project, operation, key) IN (
    SELECT project, operation, key FROM idempotency WHERE at <= :before LIMIT 500)"""

FORGET_LAUNCHERS: Final = """
DELETE FROM launchers WHERE id IN (
    SELECT id FROM launchers WHERE called_at <= :before LIMIT 500)"""

# Whoever started one may look for a month how it went.
FORGET_REPLAYS: Final = """
DELETE FROM replays WHERE id IN (
    SELECT id FROM replays WHERE finished_at <= :before LIMIT 500)"""

FORGET_SIGNING_SECRETS: Final = """
DELETE FROM signing_secrets WHERE id IN (
    SELECT id FROM signing_secrets WHERE expires_at <= :before LIMIT 500)"""

# Its row says that the project has had one; an empty box is none.
FORGET_CALLBACK_SECRETS: Final = """
UPDATE projects SET callback_secret = x'' WHERE name IN (
    SELECT name FROM projects
    WHERE expires_at <= :before AND callback_secret <> x'' LIMIT 500)"""

DELETE_DELIVERY_ATTEMPTS: Final = """
DELETE FROM delivery_attempts WHERE (endpoint_id, seq) IN (
    SELECT endpoint_id, seq FROM deliveries
    WHERE task_id IN (SELECT value FROM json_each(:ids)))"""

DELETE_DELIVERIES: Final = """
DELETE FROM deliveries WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_JOBS: Final = "DELETE FROM jobs WHERE task_id IN (SELECT value FROM json_each(:ids))"

DELETE_ATTEMPTS: Final = """
DELETE FROM attempts WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_SECRETS: Final = """
DELETE FROM task_secrets WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_METADATA: Final = """
DELETE FROM task_metadata WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_PIECES: Final = """
DELETE FROM patch_pieces WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_EVENTS: Final = "DELETE FROM events WHERE task_id IN (SELECT value FROM json_each(:ids))"

DELETE_TASKS: Final = "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(:ids))"

# Of each endpoint the oldest go, and nothing behind what is still owed: its numbers keep no gap.
# What is chosen does not change while it is deleted, table by table.
_OLD_NOTICES: Final = """
SELECT event.seq FROM events AS event
WHERE event.task_id >= 'ep_' AND event.task_id < 'ep`' AND event.at <= :ended_before
  AND NOT EXISTS (
    SELECT 1 FROM deliveries AS owed
    WHERE owed.task_id = event.task_id AND owed.task_seq <= event.task_seq
      AND (owed.status = 'pending' OR owed.status = 'held'))
ORDER BY event.task_id, event.task_seq LIMIT 100"""

RAISE_PRUNED_BY_NOTICES: Final = f"""
INSERT INTO pruned (project, seq)
SELECT endpoint.project, max(event.seq)
FROM events AS event CROSS JOIN endpoints AS endpoint ON endpoint.id = event.task_id
WHERE event.seq IN ({_OLD_NOTICES})
GROUP BY endpoint.project
ON CONFLICT (project) DO UPDATE SET seq = max(seq, excluded.seq)"""

DELETE_ATTEMPTS_OF_NOTICES: Final = f"""
DELETE FROM delivery_attempts WHERE (endpoint_id, seq) IN (
    SELECT endpoint_id, seq FROM deliveries WHERE seq IN ({_OLD_NOTICES}))"""

DELETE_DELIVERIES_OF_NOTICES: Final = f"DELETE FROM deliveries WHERE seq IN ({_OLD_NOTICES})"

DELETE_NOTICES: Final = f"DELETE FROM events WHERE seq IN ({_OLD_NOTICES})"

NOTICES: Final = (
    RAISE_PRUNED_BY_NOTICES,
    DELETE_ATTEMPTS_OF_NOTICES,
    DELETE_DELIVERIES_OF_NOTICES,
    DELETE_NOTICES,
)

DELETIONS: Final = (
    RAISE_PRUNED,
    DELETE_DELIVERY_ATTEMPTS,
    DELETE_DELIVERIES,
    DELETE_JOBS,
    DELETE_ATTEMPTS,
    DELETE_SECRETS,
    DELETE_METADATA,
    DELETE_WORKSPACES,
    DELETE_PIECES,
    DELETE_EVENTS,
    DELETE_TASKS,
)


def pruning_statements(pruning: Pruning) -> Iterator[tuple[str, Params]]:
    """Statements with their parameters; each deletes a bounded number of rows."""
    before, long_before = {"before": pruning.before}, {"before": pruning.long_before}
    yield FORGET_IDEMPOTENCY, before
    yield FORGET_LAUNCHERS, before
    yield FORGET_TAKEN, long_before
    yield FORGET_REPLAYS, long_before
    yield FORGET_SIGNING_SECRETS, before
    yield FORGET_CALLBACK_SECRETS, before
    yield FORGET_MESSAGES, {"before": pruning.at - WINDOW}
    for statement in NOTICES:
        yield statement, {"ended_before": pruning.ended_before}
    if pruning.erased:
        yield ERASE_ENV, {"at": pruning.at, "ids": json.dumps(pruning.erased)}
    if pruning.deleted:
        ids = {"ids": json.dumps(pruning.deleted)}
        for statement in DELETIONS:
            yield statement, ids
