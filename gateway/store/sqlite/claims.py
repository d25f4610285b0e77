"""Claims in the store: what waits for launchers, by project in turn, and which tasks stand behind
others of their concurrency key."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import aiosqlite

from gateway.domain.kernel.commands import Claim
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import ProviderRealm
from gateway.domain.tasks.task import Task
from gateway.store.sqlite import rows
from gateway.store.sqlite.rows import Params
from gateway.store.sqlite.tasks import JOB_COLUMNS

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

OFFERED_PER_CLAIM: Final = 10
"""Inspect, destroy and sweep jobs that are loaded for each claim."""
FIRST_ASKED: Final = 16
"""Projects that are asked at first; four times as many in each further step."""
LOOKED_AT: Final = 1_000
"""Tasks that one statement looks at, of however many projects; at least one of each."""

# One index seek for each project of which something waits, in whatever number.
_WAITING: Final = """
waiting (project) AS (
    SELECT iif(:project <> '', :project, (
        SELECT project FROM tasks INDEXED BY tasks_claimable
        WHERE claimable_at IS NOT NULL AND project > '' ORDER BY project LIMIT 1))
    UNION ALL
    SELECT (
        SELECT project FROM tasks INDEXED BY tasks_claimable
        WHERE claimable_at IS NOT NULL AND project > waiting.project ORDER BY project LIMIT 1)
    FROM waiting WHERE waiting.project IS NOT NULL AND :project = '')"""

# As above, of the jobs that wait in the realms that a launcher serves.
_OFFERING: Final = """
offering (provider, realm, project) AS (
    SELECT json_extract(served.value, '$[0]'), json_extract(served.value, '$[1]'),
        iif(:project <> '', :project, (
            SELECT project FROM jobs INDEXED BY jobs_offered
            WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create'
              AND provider = json_extract(served.value, '$[0]')
              AND realm = json_extract(served.value, '$[1]')
            ORDER BY project LIMIT 1))
    FROM json_each(:places) AS served
    UNION ALL
    SELECT provider, realm, (
        SELECT job.project FROM jobs AS job INDEXED BY jobs_offered
        WHERE job.closed_at IS NULL AND job.leased_by IS NULL AND job.kind <> 'create'
          AND job.provider = offering.provider AND job.realm = offering.realm
          AND job.project > offering.project
        ORDER BY job.project LIMIT 1)
    FROM offering WHERE offering.project IS NOT NULL AND :project = '')"""

WAITING_PROJECTS: Final = f"""WITH RECURSIVE {_WAITING}
SELECT waiting.project, coalesce(turn.served, 0), (SELECT max(served) FROM turns)
FROM waiting LEFT JOIN turns AS turn ON turn.project = waiting.project
WHERE waiting.project IS NOT NULL"""

# The oldest of each project in each realm; then the first of each, the second of each, and so on.
JOBS_OFFERED: Final = f"""WITH RECURSIVE {_OFFERING}
SELECT {JOB_COLUMNS} FROM (
    SELECT *, row_number() OVER (
        PARTITION BY provider, realm, project ORDER BY not_before, id) AS place
    FROM jobs
    WHERE id IN (
        SELECT oldest.id FROM offering CROSS JOIN jobs AS oldest
            ON oldest.id IN (
                SELECT id FROM jobs
                WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create'
                  AND provider = offering.provider AND realm = offering.realm
                  AND project = offering.project AND not_before <= :now
                ORDER BY not_before LIMIT :limit)))
ORDER BY place, not_before, id LIMIT :limit"""

# One index seek for each priority: a thousand future tasks of priority 9 hide none that is due.
# Without ORDER BY, which would read and sort every task that waits (9.6 ms for 20,000 of them,
# against 0.1 ms): CROSS JOIN fixes the loops, and both run in the order that is wanted.
CLAIMABLE: Final = """
SELECT task.project, task.id, task.priority, task.claimable_at
FROM json_each(:projects) AS waiting CROSS JOIN json_each(:providers) AS wanted
CROSS JOIN tasks AS task ON task.id IN (
    SELECT offered.id
    FROM json_each('[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]') AS level
    CROSS JOIN tasks AS offered INDEXED BY tasks_claimable
        ON offered.project = waiting.value AND offered.provider IS wanted.value
        AND offered.is_behind = 0 AND offered.priority = level.value
        AND offered.claimable_at <= :now
    LEFT JOIN attempts AS attempt
        ON attempt.task_id = offered.id AND attempt.number = offered.attempt
    WHERE (attempt.realm IS NULL OR (attempt.provider, attempt.realm) IN (
              SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
              FROM json_each(:places)))
      AND (offered.concurrency_key IS NULL OR offered.status <> 'queued' OR :per_key > (
              SELECT count(*) FROM tasks AS other
              WHERE other.project = offered.project
                AND other.concurrency_key = offered.concurrency_key
                AND other.status IN ('launching', 'running')))
    LIMIT :each)"""

# One index seek for each project, provider and priority.
NEXT_CLAIMABLE: Final = f"""WITH RECURSIVE {_WAITING}, {_OFFERING}
SELECT min(at) FROM (
    SELECT (
        SELECT min(claimable_at) FROM tasks INDEXED BY tasks_claimable
        WHERE project = waiting.project AND provider IS wanted.value AND is_behind = 0
          AND priority = level.value AND claimable_at > :now) AS at
    FROM waiting CROSS JOIN json_each(:providers) AS wanted
    CROSS JOIN json_each('[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]') AS level
    UNION ALL
    SELECT (
        SELECT min(not_before) FROM jobs
        WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create'
          AND provider = offering.provider AND realm = offering.realm
          AND project = offering.project AND not_before > :now)
    FROM offering)"""

UPSERT_TURNS: Final = "INSERT OR REPLACE INTO turns (project, served) VALUES (?, ?)"

# Those of a key that a claim may need: of each priority as many as may run, the oldest first. The
# others are out of its way, or thousands that wait for a taken key would be read by every claim.
ADVANCE_KEYS: Final = """
UPDATE tasks SET is_behind = 0
WHERE is_behind = 1 AND id IN (
    SELECT first.id
    FROM json_each('[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]') AS level CROSS JOIN tasks AS first
        ON first.id IN (
            SELECT id FROM tasks
            WHERE project = :project AND concurrency_key = :key AND provider IS :provider
              AND priority = level.value AND claimable_at IS NOT NULL AND sandbox IS NULL
            ORDER BY claimable_at LIMIT :per_key))"""


async def load_claims(
    connection: aiosqlite.Connection, view: UnitOfWork, claims: Sequence[Claim], now: int
) -> None:
    """What launchers that claim at the same time may have: for each project they serve, and each
    set of realms they serve, so much as would do for all of them."""
    scopes: dict[str, list[Claim]] = {}
    for claim in claims:
        scopes.setdefault(claim.project, []).append(claim)
    given: dict[str, object] = {
        "now": now,
        "limit": OFFERED_PER_CLAIM * len(claims),
        "per_key": view.policy.concurrency_per_key,
    }
    for project, of_project in scopes.items():
        scope = {**given, "project": project, "places": json.dumps(_places(of_project))}
        await _load_offered(connection, view, scope)
        capacity = sum(claim.capacity for claim in claims)
        if any(claim.capacity for claim in of_project):
            await _load_claimable(connection, view, of_project, scope, capacity)


async def _load_offered(
    connection: aiosqlite.Connection, view: UnitOfWork, scope: dict[str, object]
) -> None:
    for row in await connection.execute_fetchall(JOBS_OFFERED, scope):
        job = rows.job_from_row(row)
        view.jobs.setdefault(job.id, job)
        view.offered[job.id] = None


async def _load_claimable(
    connection: aiosqlite.Connection,
    view: UnitOfWork,
    claims: Sequence[Claim],
    scope: dict[str, object],
    capacity: int,
) -> None:
    turns: dict[str, int] = {}
    for project, served, newest in await connection.execute_fetchall(WAITING_PROJECTS, scope):
        turns[project], view.turn = served, newest or 0
    view.turns |= turns
    # Of each set of realms as much as would do for all: what one launcher alone may have must not
    # take the place of what another, which has room, could have.
    for places in dict.fromkeys(claim.providers for claim in claims if claim.capacity):
        served = {"places": json.dumps(places), "providers": providers_wanted(places)}
        wanted = {**scope, **served}
        found = await _found(connection, turns, wanted, capacity)
        view.claimable |= dict.fromkeys(_in_turn(found, turns)[:capacity])


async def _found(
    connection: aiosqlite.Connection,
    turns: dict[str, int],
    wanted: dict[str, object],
    capacity: int,
) -> list[rows.Row]:
    """Those whose turn comes first are asked first: mostly the others need not be, for each project
    is given one task before any is given two."""
    waiting = sorted(turns, key=lambda project: (turns[project], project))
    found: list[rows.Row] = []
    asked, most = 0, max(FIRST_ASKED, capacity)
    while asked < len(waiting) and len({row[0] for row in found}) < capacity:
        projects = waiting[asked : asked + most]
        each = max(1, min(capacity, LOOKED_AT // len(projects)))
        given = {**wanted, "projects": json.dumps(projects), "each": each}
        found += await connection.execute_fetchall(CLAIMABLE, given)
        asked, most = asked + most, 4 * most
    return found


def _places(claims: Iterable[Claim]) -> list[ProviderRealm]:
    return sorted({place for claim in claims for place in claim.providers})


def _in_turn(found: Iterable[rows.Row], turns: dict[str, int]) -> list[str]:
    """The first of each project, then the second of each, and so on; the project that was served
    longest ago before the others."""
    queues: dict[str, list[rows.Row]] = {}
    for row in sorted(found, key=lambda row: (-row[2], row[3], row[1])):
        queues.setdefault(row[0], []).append(row)
    ranked = [
        (rank, turns[project], project, row[1])
        for project, queue in queues.items()
        for rank, row in enumerate(queue)
    ]
    return [task_id for *_, task_id in sorted(ranked)]


def providers_wanted(places: Sequence[ProviderRealm]) -> str:
    """What tasks may want of launchers that serve these places: none in particular, or theirs."""
    return json.dumps([None, *sorted({provider for provider, _ in places})])


def turn_values(view: UnitOfWork) -> list[Params]:
    """The columns of `turns`."""
    return [(project, view.turns[project]) for project in view.changed_turns]


def key_values(tasks: Iterable[Task], per_key: int) -> list[Params]:
    """The concurrency keys of tasks that came, went, or may be claimed at another time."""
    keyed = (task for task in tasks if task.concurrency_key is not None)
    keys = dict.fromkeys((task.project, task.concurrency_key, task.provider) for task in keyed)
    return [
        {"project": project, "key": key, "provider": provider, "per_key": per_key}
        for project, key, provider in keys
    ]
