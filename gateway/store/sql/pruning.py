"""Retention in the store: the rows that go, table by table, in the order that the foreign keys
allow."""

# ruff: noqa: S608 - what is put into a statement here is a constant selection

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.sources.message import WINDOW
from gateway.store.sql.audit_log import DELETE_OLD_AUDIT
from gateway.store.sql.claims import DELETE_OLD_HOLDS
from gateway.store.sql.connection import Queries, bound
from gateway.store.sql.rows import Params
from gateway.store.sql.sources import DELETE_OLD_MESSAGES
from gateway.store.sql.switches import DELETE_OLD_PAUSES
from gateway.store.sql.task_groups import (
    OLD_GROUPS,
    TAKE_DELETED_FROM_FLAGS,
    TAKE_DELETED_FROM_STATES,
    old_groups,
)

KEPT_ENV: Final = """
SELECT secret.task_id, task.finished_at
FROM task_secrets AS secret CROSS JOIN tasks AS task ON task.id = secret.task_id
WHERE secret.env IS NOT NULL AND secret.task_id > :after ORDER BY secret.task_id LIMIT :limit"""

OLD_IDEMPOTENCY: Final = "SELECT 1 FROM idempotency WHERE at <= :before ORDER BY at LIMIT 1"

# A task's id says when it was made; one that was made too late has not ended too early.
OLD_TASKS: Final = """
SELECT id, seq, finished_at FROM tasks WHERE id > :after AND id < :until ORDER BY id LIMIT :limit"""

OWN_EVENTS_BEHIND: Final = """
SELECT own.seq, event.at
FROM own_events AS own CROSS JOIN events AS event ON event.seq = own.seq
WHERE own.seq > :after ORDER BY own.seq LIMIT :limit"""

# Whoever deletes events says so here, in the same transaction: a cursor before that number has
# missed something.
RAISE_PRUNED: Final = """
INSERT INTO pruned (project, seq)
SELECT task.project, max(event.seq)
FROM json_each(:ids) AS going CROSS JOIN tasks AS task ON task.id = going.value
CROSS JOIN events AS event ON event.task_id = task.id AND event.task_seq = task.seq
GROUP BY task.project
ON CONFLICT (project) DO UPDATE SET seq = max(pruned.seq, excluded.seq)"""

ERASE_ENV: Final = """
UPDATE task_secrets SET env = NULL, env_erased_at = :at
WHERE env IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_OLD_IDEMPOTENCY: Final = """
DELETE FROM idempotency WHERE (project, operation, key) IN (
    SELECT project, operation, key FROM idempotency
    WHERE at <= :before ORDER BY at LIMIT 500)"""

DELETE_OLD_LAUNCHERS: Final = """
DELETE FROM launchers WHERE id IN (
    SELECT id FROM launchers WHERE called_at <= :before AND mode = 'working' LIMIT 500)"""

# Whoever started one may look for a month how it went.
DELETE_OLD_REPLAYS: Final = """
DELETE FROM replays WHERE id IN (
    SELECT id FROM replays WHERE finished_at <= :before LIMIT 500)"""

# Whole: few, with at most 2,000 pages each.
_OLD_BULK_ACTIONS: Final = """
SELECT id FROM bulk_actions WHERE finished_at <= :before ORDER BY finished_at LIMIT 5"""

DELETE_OLD_BULK_PAGES: Final = f"DELETE FROM bulk_pages WHERE bulk_id IN ({_OLD_BULK_ACTIONS})"

DELETE_OLD_BULK_ACTIONS: Final = f"DELETE FROM bulk_actions WHERE id IN ({_OLD_BULK_ACTIONS})"

DELETE_OLD_SIGNING_SECRETS: Final = """
DELETE FROM signing_secrets WHERE id IN (
    SELECT id FROM signing_secrets WHERE expires_at <= :before LIMIT 500)"""

# Its row says that the project has had one; an empty box is none.
ERASE_OLD_CALLBACK_SECRETS: Final = """
UPDATE projects SET callback_secret = substr(callback_secret, 1, 0) WHERE name IN (
    SELECT name FROM projects
    WHERE expires_at <= :before AND length(callback_secret) > 0 LIMIT 500)"""

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

DELETE_WORKSPACES: Final = """
DELETE FROM workspaces WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_PIECES: Final = """
DELETE FROM patch_pieces WHERE task_id IN (SELECT value FROM json_each(:ids))"""

DELETE_EVENTS: Final = "DELETE FROM events WHERE task_id IN (SELECT value FROM json_each(:ids))"

DELETE_TASKS: Final = "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(:ids))"

# Of each endpoint and each alert (`ops_`) the oldest go, and nothing behind what is still owed: its
# numbers keep no gap.
# What is chosen does not change while it is deleted, table by table.
_OLD_ENDPOINT_EVENTS: Final = """
SELECT event.seq FROM events AS event
WHERE event.task_id >= 'ep_' AND event.task_id < 'ops`' AND event.at <= :ended_before
  AND NOT EXISTS (
    SELECT 1 FROM deliveries AS owed
    WHERE owed.task_id = event.task_id AND owed.task_seq <= event.task_seq
      AND (owed.status = 'pending' OR owed.status = 'held'))
ORDER BY event.task_id, event.task_seq LIMIT 100"""

RAISE_PRUNED_BY_ENDPOINT_EVENTS: Final = f"""
INSERT INTO pruned (project, seq)
SELECT coalesce(endpoint.project, ''), max(event.seq)
FROM events AS event LEFT JOIN endpoints AS endpoint ON endpoint.id = event.task_id
WHERE event.seq IN ({_OLD_ENDPOINT_EVENTS})
GROUP BY 1
ON CONFLICT (project) DO UPDATE SET seq = max(pruned.seq, excluded.seq)"""

DELETE_ATTEMPTS_OF_ENDPOINT_EVENTS: Final = f"""
DELETE FROM delivery_attempts WHERE (endpoint_id, seq) IN (
    SELECT endpoint_id, seq FROM deliveries WHERE seq IN ({_OLD_ENDPOINT_EVENTS}))"""

DELETE_DELIVERIES_OF_ENDPOINT_EVENTS: Final = (
    f"DELETE FROM deliveries WHERE seq IN ({_OLD_ENDPOINT_EVENTS})"
)

DELETE_ENDPOINT_EVENTS: Final = f"DELETE FROM events WHERE seq IN ({_OLD_ENDPOINT_EVENTS})"

ENDPOINT_EVENTS: Final = (
    RAISE_PRUNED_BY_ENDPOINT_EVENTS,
    DELETE_ATTEMPTS_OF_ENDPOINT_EVENTS,
    DELETE_DELIVERIES_OF_ENDPOINT_EVENTS,
    DELETE_ENDPOINT_EVENTS,
)

# An own event goes when nobody is owed it any more, alone: a lane may keep gaps.
_OLD_OWN_EVENTS: Final = """
SELECT own.seq FROM own_events AS own
WHERE own.seq IN (SELECT CAST(value AS BIGINT) FROM json_each(:numbers)) AND NOT EXISTS (
    SELECT 1 FROM deliveries AS owed
    WHERE owed.seq = own.seq AND (owed.status = 'pending' OR owed.status = 'held'))"""

RAISE_PRUNED_BY_OWN_EVENTS: Final = f"""
INSERT INTO pruned (project, seq)
SELECT project, max(seq) FROM own_events WHERE seq IN ({_OLD_OWN_EVENTS}) GROUP BY project
ON CONFLICT (project) DO UPDATE SET seq = max(pruned.seq, excluded.seq)"""

DELETE_ATTEMPTS_OF_OWN_EVENTS: Final = f"""
DELETE FROM delivery_attempts WHERE (endpoint_id, seq) IN (
    SELECT endpoint_id, seq FROM deliveries WHERE seq IN ({_OLD_OWN_EVENTS}))"""

DELETE_DELIVERIES_OF_OWN_EVENTS: Final = f"DELETE FROM deliveries WHERE seq IN ({_OLD_OWN_EVENTS})"

DELETE_EVENTS_OF_OWN: Final = f"DELETE FROM events WHERE seq IN ({_OLD_OWN_EVENTS})"

DELETE_OWN_EVENTS: Final = f"DELETE FROM own_events WHERE seq IN ({_OLD_OWN_EVENTS})"

OWN_EVENTS: Final = (
    RAISE_PRUNED_BY_OWN_EVENTS,
    DELETE_ATTEMPTS_OF_OWN_EVENTS,
    DELETE_DELIVERIES_OF_OWN_EVENTS,
    DELETE_EVENTS_OF_OWN,
    DELETE_OWN_EVENTS,
)

EXPIRED: Final = (
    DELETE_OLD_IDEMPOTENCY,
    DELETE_OLD_LAUNCHERS,
    DELETE_OLD_SIGNING_SECRETS,
    ERASE_OLD_CALLBACK_SECRETS,
)

LONG_EXPIRED: Final = (
    DELETE_OLD_HOLDS,
    DELETE_OLD_PAUSES,
    DELETE_OLD_REPLAYS,
    DELETE_OLD_BULK_PAGES,
    DELETE_OLD_BULK_ACTIONS,
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
    TAKE_DELETED_FROM_STATES,
    TAKE_DELETED_FROM_FLAGS,
    DELETE_TASKS,
)


def write_retention(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Statements that delete a bounded number of rows each."""
    for pruning in unit.retention:
        for statements, given in (
            (EXPIRED, {"before": pruning.before}),
            (LONG_EXPIRED, {"before": pruning.long_before}),
            ((DELETE_OLD_MESSAGES,), {"before": pruning.at - WINDOW}),
            (
                (*ENDPOINT_EVENTS, DELETE_OLD_AUDIT),
                {"ended_before": pruning.ended_before},
            ),
            (OLD_GROUPS, old_groups(pruning.at)),
        ):
            yield from ((statement, [given]) for statement in statements)
        if pruning.erased:
            yield ERASE_ENV, [bound({"at": pruning.at, "ids": pruning.erased})]
        if pruning.own_events:
            numbers = bound({"numbers": pruning.own_events})
            yield from ((statement, [numbers]) for statement in OWN_EVENTS)
        if pruning.deleted:
            ids = bound({"ids": pruning.deleted})
            yield from ((statement, [ids]) for statement in DELETIONS)


class RetentionQueries(Queries):
    """The reads of the pruner."""

    async def own_events(self, after: int, limit: int) -> list[tuple[int, int]]:
        found = await self._all(OWN_EVENTS_BEHIND, {"after": after, "limit": limit})
        return [(row[0], row[1]) for row in found]

    async def kept_env(self, after: str, limit: int) -> list[tuple[str, int | None]]:
        found = await self._all(KEPT_ENV, {"after": after, "limit": limit})
        return [(row[0], row[1]) for row in found]

    async def old_tasks(
        self, after: str, until: str, limit: int
    ) -> list[tuple[str, int, int | None]]:
        found = await self._all(OLD_TASKS, {"after": after, "until": until, "limit": limit})
        return [(row[0], row[1], row[2]) for row in found]

    async def has_idempotency_records(self, before: int) -> bool:
        return await self._one(OLD_IDEMPOTENCY, {"before": before}) is not None
