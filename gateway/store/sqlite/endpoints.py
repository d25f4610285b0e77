"""Endpoints and what they are owed: what a batch loads of them, and what it writes."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

import aiosqlite
from msgspec import UNSET

from gateway.domain.deliveries.delivery import PARK_AFTER
from gateway.domain.deliveries.endpoint import Directory, SigningSecret
from gateway.domain.deliveries.outbox import DeliveryState, Outbox
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.sealing import Sealed
from gateway.store.loading import BatchReadSet
from gateway.store.sqlite import rows
from gateway.store.sqlite.rows import Params

ENDPOINT_COLUMNS: Final = """
    id, project, origin, implicit, enabled, shown_url, header_names, description, event_types,
    rate_per_second, metadata, is_draining, disabled_reason, failing_since, created_at,
    updated_at, told_at, seq"""

REPLAY_COLUMNS: Final = """
    id, kind, endpoint_id, project, since, until, only_failed, dry_run, after_seq, until_seq,
    matched, status, reason, created_at, updated_at, finished_at"""

DIRECTORY: Final = f"""
SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE deleted_at IS NULL ORDER BY id"""

UPSERT_ENDPOINTS: Final = f"""
INSERT INTO endpoints ({ENDPOINT_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    origin = excluded.origin, enabled = excluded.enabled, shown_url = excluded.shown_url,
    header_names = excluded.header_names, description = excluded.description,
    event_types = excluded.event_types, rate_per_second = excluded.rate_per_second,
    metadata = excluded.metadata, is_draining = excluded.is_draining,
    disabled_reason = excluded.disabled_reason, failing_since = excluded.failing_since,
    updated_at = excluded.updated_at, told_at = excluded.told_at, seq = excluded.seq"""

SET_URL: Final = "UPDATE endpoints SET url = :box, url_key_id = :key_id WHERE id = :endpoint_id"

SET_HEADERS: Final = """
UPDATE endpoints SET headers = :box, headers_key_id = :key_id WHERE id = :endpoint_id"""

# Its row stays as long as deliveries speak of it, without its secrets.
DELETE_ENDPOINT: Final = """
UPDATE endpoints SET deleted_at = :at, enabled = 0, url = NULL, headers = NULL WHERE id = :id"""

DELETE_SIGNING_SECRETS: Final = """
DELETE FROM signing_secrets
WHERE project = (SELECT project FROM endpoints WHERE id = :id) AND endpoint_id = :id"""

INSERT_SUBSCRIPTIONS: Final = """
INSERT OR REPLACE INTO subscriptions (endpoint_id, after_seq, event_types) VALUES (?, ?, ?)"""

INSERT_SIGNING_SECRETS: Final = """
INSERT INTO signing_secrets (id, project, endpoint_id, key_id, secret, created_at, expires_at)
VALUES (:id, :project, :endpoint_id, :key_id, :secret, :created_at, :expires_at)"""

EXPIRE_SIGNING_SECRETS: Final = "UPDATE signing_secrets SET expires_at = :at WHERE id = :id"

EXPIRE_CALLBACK_SECRETS: Final = """
UPDATE projects SET expires_at = :at WHERE name = :project AND secret_id = :id"""

# Those of an endpoint; for its implicit one, those of the project.
SIGNING_SECRETS: Final = """
SELECT id, project, endpoint_id, created_at, expires_at FROM signing_secrets
WHERE project = :project AND endpoint_id IS :endpoint_id
  AND (expires_at IS NULL OR expires_at > :now)
UNION ALL
SELECT secret_id, name, NULL, created_at, expires_at FROM projects
WHERE name = :project AND :endpoint_id IS NULL AND (expires_at IS NULL OR expires_at > :now)"""

REPLAYS: Final = f"""
SELECT {REPLAY_COLUMNS} FROM replays WHERE id IN (SELECT value FROM json_each(:ids))"""

BACKLOGS: Final = f"""
SELECT {REPLAY_COLUMNS} FROM replays
WHERE endpoint_id IN (SELECT value FROM json_each(:ids)) AND status = 'running'"""

RUNNING_REPLAYS: Final = f"""
SELECT {REPLAY_COLUMNS} FROM replays WHERE status = 'running' ORDER BY endpoint_id"""

UPSERT_REPLAYS: Final = f"""
INSERT OR REPLACE INTO replays ({REPLAY_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

SETTLED_NEXT: Final = """
SELECT seq FROM deliveries
WHERE endpoint_id = :endpoint_id AND seq > :after AND seq <= :until
  AND status IN ('delivered', 'dead')
ORDER BY seq LIMIT :limit"""

DEAD_NEXT: Final = """
SELECT seq FROM deliveries INDEXED BY deliveries_missed
WHERE status = 'dead' AND seq > :after AND seq <= :until AND endpoint_id = :endpoint_id
ORDER BY seq LIMIT :limit"""

HELD_NEXT: Final = """
SELECT seq FROM deliveries INDEXED BY deliveries_missed
WHERE status = 'held' AND seq > :after AND seq <= :until AND endpoint_id = :endpoint_id
ORDER BY seq LIMIT :limit"""

# From the end: what is left while some are held already are the older ones of each task.
PENDING_LAST: Final = """
SELECT seq FROM deliveries INDEXED BY deliveries_lane
WHERE endpoint_id = :endpoint_id AND status = 'pending' AND seq <= :until
ORDER BY task_id DESC, task_seq DESC LIMIT :limit"""

# Joined, not IN: only so SQLite seeks by both columns.
STANDING: Final = """
SELECT delivery.endpoint_id, delivery.seq, delivery.status, delivery.failures
FROM json_each(:keys) AS wanted CROSS JOIN deliveries AS delivery
    ON delivery.endpoint_id = json_extract(wanted.value, '$[0]')
    AND delivery.seq = json_extract(wanted.value, '$[1]')"""

# No more failures than park one: see the lanes. What has an end keeps it, unless somebody asked
# for it again: its answer may have come in this very batch.
REROUTE_DELIVERIES: Final = """
UPDATE deliveries SET
    status = :status, next_attempt_at = :next_attempt_at, trigger = :trigger,
    failures = coalesce(:failures, min(failures, :park_after)), reason = :reason
WHERE endpoint_id = :endpoint_id AND seq = :seq
  AND (:trigger <> 'auto' OR status = 'pending' OR status = 'held')"""

# What has arrived once is not taken back, and what failed keeps its own schedule.
HASTEN_CALLBACKS: Final = """
UPDATE deliveries SET next_attempt_at = :at
WHERE endpoint_id = :endpoint_id AND task_id = :task_id AND status = 'pending' AND attempts = 0
  AND next_attempt_at > :at"""

SUPERSEDE_CALLBACKS: Final = """
UPDATE deliveries SET
    status = iif(repeats = 2, 'delivered', 'superseded'), next_attempt_at = NULL, repeats = 0
WHERE endpoint_id = :endpoint_id AND task_id = :task_id AND status = 'pending'
  AND seq IN (
    SELECT seq FROM events WHERE task_id = :task_id AND type IN (
        'task.completed', 'task.needs_review', 'task.failed', 'task.timed_out', 'task.cancelled',
        'task.expired'))"""

_PAGES: Final = {
    "replay": (SETTLED_NEXT,),
    "hold": (PENDING_LAST,),
    "release": (HELD_NEXT,),
    "drop": (HELD_NEXT, PENDING_LAST),
}


async def read_directory(connection: aiosqlite.Connection) -> Directory:
    """All endpoints that were not deleted."""
    return Directory(map(rows.endpoint_from_row, await connection.execute_fetchall(DIRECTORY)))


async def load_outbox(
    connection: aiosqlite.Connection, outbox: Outbox, wanted: BatchReadSet, now: int
) -> None:
    """What decisions about endpoints look at; most batches need nothing of it."""
    if wanted.backlogs:
        found = await connection.execute_fetchall(BACKLOGS, {"ids": json.dumps(wanted.backlogs)})
        outbox.replays |= _by_id(found)
    if wanted.replays:
        ids = {"ids": json.dumps([*wanted.replays])}
        outbox.replays |= (loaded := _by_id(await connection.execute_fetchall(REPLAYS, ids)))
        for replay in loaded.values():
            outbox.pages[replay.id] = await _page(connection, replay, wanted.replays[replay.id])
    for endpoint_id in wanted.secrets_of:
        await _load_secrets(connection, outbox, endpoint_id, now)
    if wanted.deliveries:
        keys = {"keys": json.dumps(wanted.deliveries)}
        for endpoint_id, seq, status, failures in await connection.execute_fetchall(STANDING, keys):
            state = DeliveryState(status=status, failures=failures)
            outbox.delivery_states[endpoint_id, seq] = state


def outbox_changes(outbox: Outbox) -> Iterator[tuple[str, list[Params]]]:
    """Statements with the parameters of each of their rows, in the order they need."""
    yield (
        SET_URL,
        [
            {"endpoint_id": address.endpoint_id, **_box(address.url)}
            for address in outbox.addresses
            if address.url is not UNSET
        ],
    )
    yield (
        SET_HEADERS,
        [
            {"endpoint_id": address.endpoint_id, **_box(address.headers)}
            for address in outbox.addresses
            if address.headers is not UNSET
        ],
    )
    yield INSERT_SUBSCRIPTIONS, [*map(rows.subscription_values, outbox.subscriptions)]
    yield (
        INSERT_SIGNING_SECRETS,
        [_secret_params(secret, sealed) for secret, sealed in outbox.new_secrets],
    )
    expiring = [
        {"id": secret.id, "project": secret.project, "at": secret.expires_at}
        for secret in outbox.expiring
    ]
    yield EXPIRE_SIGNING_SECRETS, [*expiring]
    yield EXPIRE_CALLBACK_SECRETS, [*expiring]
    yield UPSERT_REPLAYS, [*map(rows.replay_values, outbox.changed_replays.values())]
    parked = {"park_after": PARK_AFTER}
    yield REROUTE_DELIVERIES, [rows.named(each) | parked for each in outbox.delivery_updates]
    turns = [rows.named(turn) for turn in outbox.callbacks]
    yield HASTEN_CALLBACKS, [turn for turn in turns if turn["at"] is not None]
    yield (
        SUPERSEDE_CALLBACKS,
        [
            {"endpoint_id": turn.endpoint_id, "task_id": turn.task_id}
            for turn in outbox.callbacks
            if turn.at is None
        ],
    )
    deleted = [{"id": key, "at": at} for key, at in outbox.deleted_endpoints.items()]
    yield DELETE_SIGNING_SECRETS, [*deleted]
    yield DELETE_ENDPOINT, [*deleted]


async def _page(connection: aiosqlite.Connection, replay: Replay, limit: int) -> tuple[int, ...]:
    given = {
        "endpoint_id": replay.endpoint_id,
        # What `drop` and `hold` turn is no longer found afterwards, in whatever order it comes.
        "after": replay.after_seq if replay.kind in {"replay", "release"} else 0,
        "until": replay.until_seq,
        "limit": limit,
    }
    statements = (DEAD_NEXT,) if replay.only_failed else _PAGES[replay.kind]
    found = [await connection.execute_fetchall(statement, given) for statement in statements]
    return tuple(row[0] for row in chain.from_iterable(found))[:limit]


async def _load_secrets(
    connection: aiosqlite.Connection, outbox: Outbox, endpoint_id: str, now: int
) -> None:
    endpoint = outbox.directory.find(endpoint_id)
    if endpoint is None:
        return
    given = {
        "project": endpoint.project,
        "endpoint_id": None if endpoint.implicit else endpoint.id,
        "now": now,
    }
    found = await connection.execute_fetchall(SIGNING_SECRETS, given)
    outbox.secrets[endpoint.id] = tuple(map(rows.secret_from_row, found))


def _by_id(found: Iterable[rows.Row]) -> dict[str, Replay]:
    replays = map(rows.replay_from_row, found)
    return {replay.id: replay for replay in replays}


def _box(sealed: Sealed | None) -> dict[str, Any]:
    return {"box": sealed and sealed.box, "key_id": sealed and sealed.key_id}


def _secret_params(secret: SigningSecret, sealed: Sealed) -> Params:
    return {**rows.named(secret), "key_id": sealed.key_id, "secret": sealed.box}
