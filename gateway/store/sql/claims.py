"""Claims in the store: the work that waits for launchers, by project in turn, and the concurrency
keys that hold it back."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from gateway.domain.kernel.commands import Claim
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.provider_health import admitted
from gateway.domain.launching.realm import ProviderRealm
from gateway.domain.tasks.task import Status, Task
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import HOLD, JOB, Params, Row

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
    FROM json_each(:realms) AS served
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
SELECT {JOB} FROM (
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

MAY_START: Final = """(attempt.realm IS NULL OR (attempt.provider, attempt.realm) IN (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:realms)))
      AND (offered.concurrency_key IS NULL OR offered.status <> 'queued' OR :per_key > (
        SELECT count(*) FROM tasks AS other
        WHERE other.project = offered.project
          AND other.concurrency_key = offered.concurrency_key
          AND other.status IN ('launching', 'running')))"""
"""One of the launchers is in the realm of the task, if it is bound to one, and its key is free."""

# One index seek for each priority: a thousand future tasks of priority 9 hide none that is due.
# Without ORDER BY, which would read and sort every task that waits (9.6 ms for 20,000 of them,
# against 0.1 ms): CROSS JOIN fixes the loops, and both run in the order that is wanted.
CLAIMABLE: Final = f"""
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
    WHERE {MAY_START}
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
    FROM offering
    UNION ALL
    SELECT min(until) FROM pauses
    WHERE switch = 'launching' AND ended_at IS NULL AND until > :now
    UNION ALL
    SELECT min(probe_at) FROM pauses
    WHERE switch = 'launching' AND ended_at IS NULL AND probe_at > :now)"""

UPSERT_TURNS: Final = """
INSERT INTO turns (project, served) VALUES (:project, :served)
ON CONFLICT (project) DO UPDATE SET served = excluded.served"""

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

KEYS_IN_USE: Final = """
SELECT project || '/' || concurrency_key, count(*) FROM tasks
WHERE concurrency_key IS NOT NULL AND status IN ('launching', 'running')
  AND (project, concurrency_key) IN (
      SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:keys))
GROUP BY 1"""

# Two seeks and no OR, which would read all periods a key ever had.
HOLDS: Final = f"""
SELECT {HOLD.of("period")}
FROM json_each(:keys) AS wanted CROSS JOIN taken_keys AS period
    ON period.project = json_extract(wanted.value, '$[0]')
    AND period.concurrency_key = json_extract(wanted.value, '$[1]')
    AND period.freed_at > :since
UNION ALL
SELECT {HOLD.of("period")}
FROM json_each(:keys) AS wanted CROSS JOIN taken_keys AS period
    ON period.project = json_extract(wanted.value, '$[0]')
    AND period.concurrency_key = json_extract(wanted.value, '$[1]')
    AND period.freed_at IS NULL"""

UPSERT_HOLDS: Final = HOLD.upsert("taken_keys", "project", "concurrency_key", "taken_at")

# A task may wait for its key for days, and all that time its queue clock stands still.
DELETE_OLD_HOLDS: Final = """
DELETE FROM taken_keys WHERE (project, concurrency_key, taken_at) IN (
    SELECT project, concurrency_key, taken_at FROM taken_keys
    WHERE freed_at <= :before ORDER BY freed_at LIMIT 500)"""


async def load_claims(loading: Loading) -> None:
    """The work for launchers that claim at the same time: for each project they serve, and each set
    of realms they serve, as much as would do for all of them."""
    claims = loading.wanted.claims
    scopes: dict[str, list[Claim]] = {}
    for claim in claims:
        scopes.setdefault(claim.project, []).append(claim)
    capacity = sum(claim.capacity for claim in claims)
    for project, of_project in scopes.items():
        scope: dict[str, Any] = {
            "now": loading.now,
            "limit": OFFERED_PER_CLAIM * len(claims),
            "per_key": loading.unit.policy.concurrency_per_key,
            "project": project,
            "realms": sorted({pair for claim in of_project for pair in claim.providers}),
        }
        await _load_offered(loading, scope)
        if any(claim.capacity for claim in of_project):
            await _load_claimable(loading, of_project, scope, capacity)


async def _load_offered(loading: Loading, scope: dict[str, Any]) -> None:
    for job in map(JOB.read, await loading.all(JOBS_OFFERED, scope)):
        loading.unit.jobs.setdefault(job.id, job)
        loading.unit.claims.offered[job.id] = None


async def _load_claimable(
    loading: Loading, claims: Sequence[Claim], scope: dict[str, Any], capacity: int
) -> None:
    waiting = loading.unit.claims
    switches = loading.unit.switches
    turns: dict[str, int] = {}
    for project, served, newest in await loading.all(WAITING_PROJECTS, scope):
        waiting.turn = newest or 0
        if switches.pause("launching", project, loading.now) is None:
            turns[project] = served
    waiting.turns |= turns
    # Of each set of realms as much as would do for all: what one launcher alone may have must not
    # take the place of what another, which has room, could have.
    sets = (
        tuple(admitted(loading.unit, claim.providers, claim.project, loading.now))
        for claim in claims
        if claim.capacity
    )
    for realms in dict.fromkeys(filter(None, sets)):
        wanted = {**scope, "realms": list(realms), "providers": providers_wanted(realms)}
        found = _in_turn(await _found(loading, turns, wanted, capacity), turns)
        waiting.claimable |= dict.fromkeys(found[:capacity])
        loading.tasks.update(found[:capacity])


async def _found(
    loading: Loading, turns: dict[str, int], wanted: dict[str, Any], capacity: int
) -> list[Row]:
    """Ask the projects whose turn comes first: mostly the others need not be asked, for each
    project is given one task before any is given two."""
    waiting = sorted(turns, key=lambda project: (turns[project], project))
    found: list[Row] = []
    asked, most = 0, max(FIRST_ASKED, capacity)
    while asked < len(waiting) and len({row[0] for row in found}) < capacity:
        projects = waiting[asked : asked + most]
        each = max(1, min(capacity, LOOKED_AT // len(projects)))
        found += await loading.all(CLAIMABLE, {**wanted, "projects": projects, "each": each})
        asked, most = asked + most, 4 * most
    return found


def _in_turn(found: Iterable[Row], turns: dict[str, int]) -> list[str]:
    """The first of each project, then the second of each, and so on; the project that was served
    longest ago before the others."""
    queues: dict[str, list[Row]] = {}
    for row in sorted(found, key=lambda row: (-row[2], row[3], row[1])):
        queues.setdefault(row[0], []).append(row)
    ranked = [
        (rank, turns[project], project, row[1])
        for project, queue in queues.items()
        for rank, row in enumerate(queue)
    ]
    return [task_id for *_, task_id in sorted(ranked)]


def providers_wanted(realms: Sequence[ProviderRealm]) -> str:
    """The wishes of tasks that launchers of these realms serve: no provider in particular, or
    theirs."""
    return json.dumps([None, *sorted({provider for provider, _ in realms})])


def key_values(tasks: Iterable[Task], per_key: int) -> list[Params]:
    """The concurrency keys of tasks that came, went, or may be claimed at another time."""
    keyed = (task for task in tasks if task.concurrency_key is not None)
    keys = dict.fromkeys((task.project, task.concurrency_key, task.provider) for task in keyed)
    return [
        {"project": project, "key": key, "provider": provider, "per_key": per_key}
        for project, key, provider in keys
    ]


def write_claims(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """The turns of projects."""
    turns = unit.claims.turns
    served = [{"project": name, "served": turns[name]} for name in unit.claims.changed]
    yield UPSERT_TURNS, served


async def load_keys(loading: Loading) -> None:
    """The concurrency keys of the tasks that wait or run."""
    living = [
        task
        for task in loading.unit.tasks.values()
        if task.concurrency_key is not None and not task.status.is_terminal
    ]
    if not living:
        return
    keys = sorted({(task.project, task.concurrency_key) for task in living})
    found = loading.unit.keys
    for key, number in await loading.all(KEYS_IN_USE, {"keys": keys}):
        found.in_use[key] = number
    queued = (task.claimable_at for task in living if task.status is Status.QUEUED)
    since = min((at for at in queued if at is not None), default=loading.now)
    for hold in map(HOLD.read, await loading.all(HOLDS, {"keys": keys, "since": since})):
        key = f"{hold.project}/{hold.concurrency_key}"
        found.holds[key] = (*found.holds.get(key, ()), hold)
