"""Clocks in the store: due rows, and the pulse that shows an outage."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.kernel.unit_of_work import OUTAGE, UnitOfWork
from gateway.domain.launching.realm import RealmKey
from gateway.store.records import NO_NUMBER
from gateway.store.sql.connection import Queries
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import JOB, Params

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

DUE_TASKS: Final = "SELECT id FROM tasks WHERE due_at <= :now ORDER BY due_at, id LIMIT :limit"

DUE_JOBS: Final = """
SELECT id FROM jobs
WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL AND lease_expires_at <= :now
ORDER BY lease_expires_at, id LIMIT :limit"""

DUE_REALMS: Final = """
SELECT provider, realm, project FROM realms WHERE due_at <= :now
ORDER BY due_at, provider, realm, project LIMIT :limit"""

NEXT_DUE: Final = """
SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM tasks WHERE due_at IS NOT NULL
    UNION ALL
    SELECT min(lease_expires_at) FROM jobs
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL
    UNION ALL
    SELECT min(due_at) FROM realms WHERE due_at IS NOT NULL) AS due"""

JOBS_LEASED: Final = f"""
SELECT {JOB} FROM jobs WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL"""

LAST_PULSE: Final = "SELECT pulse_at FROM ledger"

PULSE: Final = "UPDATE ledger SET pulse_at = :at"


async def load_pulse(loading: Loading) -> None:
    """The pulse before; after a gap all leases, and the tasks with a clock due."""
    unit, at = loading.unit, loading.wanted.pulse_at
    if at is None:
        return
    for (last,) in await loading.all(LAST_PULSE):
        unit.pulse.last = last
    if unit.pulse.last is None or at - unit.pulse.last <= OUTAGE:
        return
    unit.jobs.load(map(JOB.read, await loading.all(JOBS_LEASED)))
    due = await loading.all(DUE_TASKS, {"now": at, "limit": NO_NUMBER})
    loading.tasks.update(row[0] for row in due)


def write_pulse(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """The newest pulse."""
    yield PULSE, [{"at": unit.pulse.at}]


class ClockQueries(Queries):
    """The reads of the reconciler."""

    async def due_tasks(self, now: int, limit: int) -> list[str]:
        found = await self._all(DUE_TASKS, {"now": now, "limit": limit})
        return [row[0] for row in found]

    async def due_jobs(self, now: int, limit: int) -> list[str]:
        found = await self._all(DUE_JOBS, {"now": now, "limit": limit})
        return [row[0] for row in found]

    async def due_realms(self, now: int, limit: int) -> list[RealmKey]:
        found = await self._all(DUE_REALMS, {"now": now, "limit": limit})
        return [(row[0], row[1], row[2]) for row in found]

    async def next_due(self) -> int | None:
        row = await self._one(NEXT_DUE)
        return row[0] if row else None

    async def last_pulse(self) -> int | None:
        row = await self._one(LAST_PULSE)
        return row[0] if row else None
