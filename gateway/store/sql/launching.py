"""Launching in the store: jobs, launchers, realms and sweeps."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import ProviderRealm, Realm, RealmKey, Sweep, Unwanted
from gateway.domain.tasks.task import Attempt, Task
from gateway.store.records import SandboxPosition
from gateway.store.sql.claims import NEXT_CLAIMABLE, providers_wanted
from gateway.store.sql.connection import Connection, Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import ATTEMPT, JOB, LAUNCHER, REALM, TASK, Params, Row

STRANDED_AT_ONCE: Final = 500
"""Tasks that one command looks at when a realm went missing; the next one takes the rest."""

JOBS: Final = f"SELECT {JOB} FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))"

JOBS_OF_TASKS: Final = f"""
SELECT {JOB} FROM jobs
WHERE task_id IN (SELECT value FROM json_each(:ids))
  AND (closed_at IS NULL OR kind IN ('create', 'destroy'))"""

JOBS_HELD: Final = f"""
SELECT {JOB} FROM jobs
WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL
  AND leased_by IN (SELECT value FROM json_each(:ids))"""

# The lease only grows, also when a job that was closed is opened anew: no old token fits again.
UPSERT_JOBS: Final = JOB.numbered(f"""
INSERT INTO jobs ({JOB}) VALUES ({JOB.marks})
ON CONFLICT (id) DO UPDATE SET
    provider = excluded.provider, realm = excluded.realm, not_before = excluded.not_before,
    lease = max(jobs.lease, excluded.lease), leased_by = excluded.leased_by,
    lease_expires_at = excluded.lease_expires_at, renewed = excluded.renewed,
    is_delegated = excluded.is_delegated, offers = excluded.offers,
    closed_at = excluded.closed_at, answered_lease = excluded.answered_lease,
    stray = excluded.stray, error = excluded.error, lease_secret = excluded.lease_secret,
    project = excluded.project""")

LAUNCHERS_NAMED: Final = f"""
SELECT {LAUNCHER} FROM launchers WHERE id IN (SELECT value FROM json_each(:ids))"""

RECENT_LAUNCHERS: Final = f"""
SELECT {LAUNCHER} FROM launchers
WHERE project IN ('', :project) ORDER BY called_at DESC LIMIT :limit"""

LAUNCHERS_BEFORE: Final = f"""
SELECT {LAUNCHER} FROM launchers
WHERE (called_at, id) < (:at, :id) ORDER BY called_at DESC, id DESC LIMIT :limit"""

UPSERT_LAUNCHERS: Final = LAUNCHER.upsert("launchers", "id")

# Not those that are known to be missing: every launcher that ever ran here has left a row.
WATCHED_REALMS: Final = f"SELECT {REALM} FROM realms WHERE due_at > 0"

REALMS_NAMED: Final = f"""
SELECT {REALM} FROM realms
WHERE (provider, realm, project) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:keys))"""

UPSERT_REALMS: Final = REALM.upsert("realms", "provider", "realm", "project")

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

# Those that could go to a paused realm and to no other, and were not told yet.
TASKS_HELD_UP: Final = """
SELECT id FROM tasks INDEXED BY tasks_claimable
WHERE claimable_at IS NOT NULL AND :project IN ('', project)
  AND (provider IS NULL OR provider = :provider) AND instr(flags, '"provider_down"') = 0
  AND NOT EXISTS (
      SELECT 1 FROM json_each(:open) AS served
      WHERE json_extract(served.value, '$[1]') IN ('', tasks.project)
        AND (tasks.provider IS NULL OR tasks.provider = json_extract(served.value, '$[0]')))
LIMIT :limit"""

# Those that were told that this realm is paused.
TASKS_NOTIFIED: Final = """
SELECT id FROM tasks INDEXED BY tasks_flagged
WHERE flags <> '[]' AND instr(flags, '"provider_down"') > 0 AND claimable_at IS NOT NULL
  AND :project IN ('', project) AND (provider IS NULL OR provider = :provider)
LIMIT :limit"""

UPSERT_SWEEPS: Final = """
INSERT INTO sweeps (provider, realm, project, at, seen, unwanted, told)
VALUES (:provider, :realm, :project, :at, :seen, :unwanted, :told)
ON CONFLICT (provider, realm, project) DO UPDATE SET
    at = excluded.at, seen = excluded.seen, unwanted = excluded.unwanted, told = excluded.told"""

# Those whose launchers call, or may: nobody else can sweep.
SWEEPS: Final = f"""
SELECT {REALM.of("realm")}, sweep.at, sweep.seen, sweep.unwanted, sweep.told
FROM realms AS realm LEFT JOIN sweeps AS sweep
    ON sweep.provider = realm.provider AND sweep.realm = realm.realm
    AND sweep.project = realm.project
WHERE realm.due_at > 0
LIMIT :limit"""

# By the index of living sandboxes, in its order.
LIVING_SANDBOXES: Final = f"""
SELECT {ATTEMPT.of("attempt")}, {TASK.of("task")}
FROM attempts AS attempt INDEXED BY attempts_placed
CROSS JOIN tasks AS task ON task.id = attempt.task_id
WHERE attempt.realm IS NOT NULL AND attempt.gone_at IS NULL
  AND (attempt.provider, attempt.realm, attempt.task_id, attempt.number)
    > (:provider, :realm, :task_id, :number)
ORDER BY attempt.provider, attempt.realm, attempt.task_id, attempt.number
LIMIT :limit"""

_LISTED: Final = msgspec.json.Decoder(tuple[Unwanted, ...])


async def watched_realms(connection: Connection) -> dict[RealmKey, Realm]:
    """All that are not known to be missing."""
    realms = map(REALM.read, await connection.fetch(WATCHED_REALMS))
    return {realm.key: realm for realm in realms}


async def load_jobs(loading: Loading) -> None:
    """Jobs by id."""
    loading.unit.jobs.load(map(JOB.read, await loading.of(JOBS, loading.wanted.jobs)))


async def load_launchers(loading: Loading) -> None:
    """The launchers that claim, report exits, are decided about or hold the jobs that are reported
    on, with their realms."""
    unit, claims, exits = loading.unit, loading.wanted.claims, loading.wanted.exits
    names = {claim.launcher_id for claim in claims} | {ended.launcher_id for ended in exits}
    names |= set(loading.wanted.held_by)
    keys = {(*pair, claim.project) for claim in claims for pair in claim.providers}
    keys |= {(*key[:2], ended.project) for ended in exits for key in ended.sandboxes}
    holders: set[str] = set()
    if loading.wanted.reports:
        holders = {job.leased_by for job in unit.jobs.values() if job.leased_by is not None}
    unit.launchers.load(map(LAUNCHER.read, await loading.of(LAUNCHERS_NAMED, names | holders)))
    for name in holders & unit.launchers.keys():
        call = unit.launchers[name]
        keys |= {(*pair, call.project) for pair in call.providers}
    await _load_realms(loading, keys)


async def load_held_jobs(loading: Loading) -> None:
    """The jobs that these launchers hold."""
    jobs = loading.unit.jobs
    names = {claim.launcher_id for claim in loading.wanted.claims} | {*loading.wanted.held_by}
    for job in map(JOB.read, await loading.of(JOBS_HELD, names)):
        jobs.setdefault(job.id, job)


async def _load_realms(loading: Loading, keys: Collection[RealmKey]) -> None:
    """The realms among these that are not loaded yet."""
    missing = set(keys) - loading.unit.realms.keys()
    loading.unit.realms.load(map(REALM.read, await loading.of(REALMS_NAMED, missing, "keys")))


async def load_stranded(loading: Loading) -> None:
    """The tasks that have to be told that a realm is missing, or that its launchers call again."""
    for key in loading.wanted.realms:
        loading.tasks |= await _tasks_of_realm(loading, key)


async def _tasks_of_realm(loading: Loading, key: RealmKey) -> set[str]:
    provider, realm, project = key
    realms = loading.unit.realms
    live = [each for each in realms.values() if each.is_live(loading.now)]
    given = {
        "provider": provider,
        "realm": realm,
        "project": project,
        "live": [(each.provider, each.project) for each in live],
        "limit": STRANDED_AT_ONCE,
    }
    found = {row[0] for row in await loading.all(TASKS_PLACED, given)}
    others = {each.provider for each in live if each.project in ("", project)}
    if provider not in others:
        statement = TASKS_STRANDED_BY_PROVIDER if others else TASKS_STRANDED
        stranded = [row[0] for row in await loading.all(statement, given)]
        realms.has_more_stranded |= len(stranded) == STRANDED_AT_ONCE
        found.update(stranded)
    held = [row[0] for row in await _held_up(loading, key, live, given)]
    realms.has_more_stranded |= len(held) == STRANDED_AT_ONCE
    return found.union(held)


async def _held_up(
    loading: Loading, key: RealmKey, live: Sequence[Realm], given: dict[str, object]
) -> Iterable[Row]:
    """The tasks that have to be told that launching is paused at the realm, or no longer."""
    switches, now = loading.unit.switches, loading.now
    is_live = any(each.key == key for each in live)
    if not is_live or not switches.has_providers:
        return ()
    if switches.holding(key, now) is None:
        return await loading.all(TASKS_NOTIFIED, given)
    is_open = [each for each in live if switches.holding(each.key, now) is None]
    open_keys = [(each.provider, each.project) for each in is_open]
    return await loading.all(TASKS_HELD_UP, {**given, "open": open_keys})


def write_sweeps(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """The newest report of each realm."""
    yield (
        UPSERT_SWEEPS,
        [
            {
                **dict(zip(("provider", "realm", "project"), sweep.realm, strict=True)),
                "at": sweep.at,
                "seen": sweep.seen,
                "unwanted": sweep.unwanted,
                "told": msgspec.json.encode(sweep.sandboxes).decode(),
            }
            for sweep in unit.sweeps
        ],
    )


class LaunchingQueries(Queries):
    """The reads of launching."""

    async def jobs(self, ids: Sequence[str]) -> list[Job]:
        return [*map(JOB.read, await self._all(JOBS, {"ids": list(ids)}))]

    async def next_claimable(
        self, providers: Sequence[ProviderRealm], now: int, project: str = ""
    ) -> int | None:
        params = {
            "realms": list(providers),
            "providers": providers_wanted(providers),
            "project": project,
            "now": now,
        }
        row = await self._one(NEXT_CLAIMABLE, params)
        return row[0] if row else None

    async def launchers_before(
        self, at: int, launcher_id: str, limit: int
    ) -> list[tuple[LauncherCall, list[Job]]]:
        params = {"at": at, "id": launcher_id, "limit": limit}
        calls = [*map(LAUNCHER.read, await self._all(LAUNCHERS_BEFORE, params))]
        held: dict[str | None, list[Job]] = {}
        ids = [call.launcher_id for call in calls]
        for job in map(JOB.read, await self._all(JOBS_HELD, {"ids": ids})):
            held.setdefault(job.leased_by, []).append(job)
        return [(call, held.get(call.launcher_id, [])) for call in calls]

    async def launcher(self, launcher_id: str) -> LauncherCall | None:
        row = await self._one(LAUNCHERS_NAMED, {"ids": [launcher_id]})
        return LAUNCHER.read(row) if row else None

    async def recent_launchers(self, project: str, limit: int) -> list[LauncherCall]:
        params = {"project": project, "limit": limit}
        return [*map(LAUNCHER.read, await self._all(RECENT_LAUNCHERS, params))]

    async def living_sandboxes(
        self, after: SandboxPosition, limit: int
    ) -> list[tuple[Attempt, Task]]:
        start = dict(zip(("provider", "realm", "task_id", "number"), after, strict=True))
        found = await self._all(LIVING_SANDBOXES, {**start, "limit": limit})
        width = len(ATTEMPT.names)
        return [(ATTEMPT.read(row[:width]), TASK.read(row[width:])) for row in found]

    async def sweeps(self, limit: int) -> list[tuple[Realm, Sweep | None]]:
        found = map(_sweep_from_row, await self._all(SWEEPS, {"limit": limit}))
        return sorted(found, key=lambda each: each[0].key)


def _sweep_from_row(row: Row) -> tuple[Realm, Sweep | None]:
    *columns, at, seen, unwanted, listed = row
    realm = REALM.read(columns)
    if at is None:
        return realm, None
    sandboxes = _LISTED.decode(listed)
    return realm, Sweep(realm=realm.key, at=at, seen=seen, unwanted=unwanted, sandboxes=sandboxes)
