"""Realms in the store: which are known, whose launchers call, and which tasks have to be told."""

import json
from collections.abc import Collection, Iterable
from typing import Final

import aiosqlite

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import Realm, RealmKey
from gateway.store.sqlite import rows

STRANDED_AT_ONCE: Final = 500
"""Tasks that one command looks at when a realm went missing; the next one takes the rest."""

# ruff: noqa: S608 - what is put into a statement here is a constant condition

# Not those that are known to be missing: every launcher that ever ran here has left a row.
WATCHED_REALMS: Final = """
SELECT provider, realm, project, called_at, due_at FROM realms WHERE due_at > 0"""

REALMS_NAMED: Final = """
SELECT provider, realm, project, called_at, due_at FROM realms
WHERE (provider, realm, project) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:keys))"""

UPSERT_REALMS: Final = """
INSERT OR REPLACE INTO realms (provider, realm, project, called_at, due_at)
VALUES (?, ?, ?, ?, ?)"""

DUE_REALMS: Final = """
SELECT provider, realm, project FROM realms WHERE due_at <= :now ORDER BY due_at LIMIT :limit"""

# Those with a sandbox there that may be alive, if they wait for it or were told that it is out of
# reach.
TASKS_PLACED: Final = """
SELECT task.id FROM attempts AS attempt CROSS JOIN tasks AS task ON task.id = attempt.task_id
WHERE attempt.provider = :provider AND attempt.realm = :realm AND attempt.gone_at IS NULL
  AND :project IN ('', task.project)
  AND (task.due_at IS NOT NULL OR instr(task.flags, '"realm_missing"') > 0)"""

# Those that wait, were not told yet, and can be taken by nobody who still calls.
_UNTOLD: Final = """
WHERE claimable_at IS NOT NULL AND :project IN ('', project)
  AND instr(flags, '"no_launcher"') = 0 AND json_extract(clocks, '$.no_launcher') IS NULL
  AND NOT EXISTS (
      SELECT 1 FROM json_each(:live) AS served
      WHERE json_extract(served.value, '$[1]') IN ('', tasks.project)
        AND (tasks.provider IS NULL OR tasks.provider = json_extract(served.value, '$[0]')))
"""

TASKS_STRANDED: Final = f"""
SELECT id FROM tasks INDEXED BY tasks_claimable {_UNTOLD} LIMIT :limit"""

TASKS_STRANDED_BY_PROVIDER: Final = f"""
SELECT id FROM tasks INDEXED BY tasks_for_provider {_UNTOLD} AND provider = :provider
LIMIT :limit"""


async def watched_realms(connection: aiosqlite.Connection) -> dict[RealmKey, Realm]:
    """All that are not known to be missing."""
    return _by_key(await connection.execute_fetchall(WATCHED_REALMS))


async def load_realms(
    connection: aiosqlite.Connection, view: UnitOfWork, keys: Collection[RealmKey]
) -> None:
    """Those among these that the view does not hold yet."""
    missing = sorted(set(keys) - view.realms.keys())
    if missing:
        found = await connection.execute_fetchall(REALMS_NAMED, {"keys": json.dumps(missing)})
        view.realms |= _by_key(found)


async def tasks_of_realm(
    connection: aiosqlite.Connection, view: UnitOfWork, key: RealmKey, now: int
) -> set[str]:
    """The tasks that have to be told that it is missing, or is heard again."""
    provider, realm, project = key
    live = [each for each in view.realms.values() if each.is_live(now)]
    given = {
        "provider": provider,
        "realm": realm,
        "project": project,
        "live": json.dumps([(each.provider, each.project) for each in live]),
        "limit": STRANDED_AT_ONCE,
    }
    found = {row[0] for row in await connection.execute_fetchall(TASKS_PLACED, given)}
    others = {each.provider for each in live if each.project in ("", project)}
    if provider not in others:
        statement = TASKS_STRANDED_BY_PROVIDER if others else TASKS_STRANDED
        stranded = [row[0] for row in await connection.execute_fetchall(statement, given)]
        view.has_more_stranded |= len(stranded) == STRANDED_AT_ONCE
        found.update(stranded)
    return found


def _by_key(found: Iterable[rows.Row]) -> dict[RealmKey, Realm]:
    realms = map(rows.realm_from_row, found)
    return {realm.key: realm for realm in realms}
