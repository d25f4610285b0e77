"""Realms in the store: which are known, whose launchers call, and which tasks have to be told."""

import json
from collections.abc import Collection, Iterable
from typing import Final

import aiosqlite

from gateway.domain.realm import Place, Realm
from gateway.domain.view import View
from gateway.store import rows

STRANDED_AT_ONCE: Final = 500
"""Tasks that one command looks at when a realm went missing; the next one takes the rest."""

# Not those that are known to be missing: every launcher that ever ran here has left a row.
WATCHED_REALMS: Final = "SELECT provider, realm, called_at, due_at FROM realms WHERE due_at > 0"

REALMS_NAMED: Final = """
SELECT provider, realm, called_at, due_at FROM realms
WHERE (provider, realm) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:places))"""

UPSERT_REALMS: Final = """
INSERT OR REPLACE INTO realms (provider, realm, called_at, due_at) VALUES (?, ?, ?, ?)"""

DUE_REALMS: Final = """
SELECT provider, realm FROM realms WHERE due_at <= :now ORDER BY due_at LIMIT :limit"""

# Those with a sandbox there that may be alive, if they wait for it or were told that it is out of
# reach.
TASKS_PLACED: Final = """
SELECT task.id FROM attempts AS attempt CROSS JOIN tasks AS task ON task.id = attempt.task_id
WHERE attempt.provider = :provider AND attempt.realm = :realm AND attempt.gone_at IS NULL
  AND (task.due_at IS NOT NULL OR instr(task.flags, '"realm_missing"') > 0)"""

# By priority because the index is: it holds only what waits.
TASKS_STRANDED: Final = """
SELECT task.id
FROM json_each('[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]') AS level CROSS JOIN tasks AS task
    ON task.priority = level.value AND task.claimable_at > 0
WHERE instr(task.flags, '"no_launcher"') = 0
  AND json_extract(task.clocks, '$.no_launcher') IS NULL
LIMIT :limit"""

TASKS_STRANDED_BY_PROVIDER: Final = """
SELECT id FROM tasks
WHERE provider = :provider AND claimable_at > 0 AND instr(flags, '"no_launcher"') = 0
  AND json_extract(clocks, '$.no_launcher') IS NULL
LIMIT :limit"""


async def watched_realms(connection: aiosqlite.Connection) -> dict[Place, Realm]:
    """All that are not known to be missing."""
    return _by_place(await connection.execute_fetchall(WATCHED_REALMS))


async def load_realms(
    connection: aiosqlite.Connection, view: View, places: Collection[Place]
) -> None:
    """Those among these that the view does not hold yet."""
    missing = sorted(set(places) - view.realms.keys())
    if missing:
        found = await connection.execute_fetchall(REALMS_NAMED, {"places": json.dumps(missing)})
        view.realms |= _by_place(found)


async def tasks_of_realm(
    connection: aiosqlite.Connection, view: View, place: Place, now: int
) -> set[str]:
    """The tasks that have to be told that it is missing, or is heard again."""
    provider, realm = place
    given = {"provider": provider, "realm": realm, "limit": STRANDED_AT_ONCE}
    found = {row[0] for row in await connection.execute_fetchall(TASKS_PLACED, given)}
    live = {realm.provider for realm in view.realms.values() if realm.is_live(now)}
    if provider not in live:
        statement = TASKS_STRANDED_BY_PROVIDER if live else TASKS_STRANDED
        stranded = [row[0] for row in await connection.execute_fetchall(statement, given)]
        view.has_more_stranded |= len(stranded) == STRANDED_AT_ONCE
        found.update(stranded)
    return found


def _by_place(found: Iterable[rows.Row]) -> dict[Place, Realm]:
    realms = map(rows.realm_from_row, found)
    return {realm.place: realm for realm in realms}
