"""One write transaction of the ledger: the load of a batch, and the statements of its changes."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Self

from msgspec import field
from msgspec.structs import replace

from gateway.domain.deliveries.endpoint import Directory
from gateway.domain.deliveries.outbox import Outbox
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import Realm, RealmKey
from gateway.domain.operations.switches import Pause, PauseKey
from gateway.domain.tasks.task import Frozen
from gateway.store.loading import BatchReadSet
from gateway.store.sql.alerts import UPSERT_ALERTS, load_alerts
from gateway.store.sql.api_keys import load_api_keys, write_api_keys
from gateway.store.sql.audit_log import write_audit
from gateway.store.sql.bulk import load_bulk_actions, write_bulk_actions
from gateway.store.sql.claims import UPSERT_HOLDS, load_claims, load_keys, write_claims
from gateway.store.sql.clocks import load_pulse, write_pulse
from gateway.store.sql.connection import Connection
from gateway.store.sql.deliveries import load_deliveries, write_deliveries
from gateway.store.sql.endpoints import (
    load_outbox,
    read_directory,
    write_endpoints,
    write_outbox,
)
from gateway.store.sql.event_types import load_event_types, write_event_types
from gateway.store.sql.events import load_events, write_events, write_patches
from gateway.store.sql.launching import (
    UPSERT_JOBS,
    UPSERT_LAUNCHERS,
    UPSERT_REALMS,
    load_held_jobs,
    load_jobs,
    load_launchers,
    load_stranded,
    watched_realms,
    write_sweeps,
)
from gateway.store.sql.own_events import load_own_events, write_own_events
from gateway.store.sql.part import Load, Loading, Write, changes
from gateway.store.sql.portals import UPSERT_PORTALS, load_portals
from gateway.store.sql.pruning import write_retention
from gateway.store.sql.purging import load_purges, write_purges
from gateway.store.sql.rows import (
    ALERT,
    ATTEMPT,
    HOLD,
    JOB,
    LAUNCHER,
    PAUSE,
    PORTAL,
    REALM,
    WORKSPACE,
    Params,
)
from gateway.store.sql.sources import (
    UPSERT_WORKSPACES,
    load_messages,
    load_workspaces,
    write_messages,
)
from gateway.store.sql.switches import UPSERT_PAUSES, read_pauses
from gateway.store.sql.tasks import (
    UPSERT_ATTEMPTS,
    load_idempotency,
    load_sandboxes,
    load_tasks,
    write_idempotency,
    write_metadata,
    write_secrets,
    write_tasks,
)

Loader = tuple[str, tuple[str, ...], Load]
"""A part, the fields of the read set that ask for it (none: every batch does), and its load."""

# In this order: a later one looks at the rows of an earlier one, and all of them name tasks.
SELECTIONS: Final[tuple[Loader, ...]] = (
    ("jobs", ("jobs",), load_jobs),
    ("launchers", ("claims", "reports", "exits", "held_by"), load_launchers),
    ("jobs", ("claims", "held_by"), load_held_jobs),
    ("claims", ("claims",), load_claims),
    ("pulse", ("pulse_at",), load_pulse),
    ("alerts", ("alerts",), load_alerts),
    ("realms", ("realms",), load_stranded),
    ("attempts", ("exits",), load_sandboxes),
    ("workspaces", ("workspaces",), load_workspaces),
    ("messages", ("notices",), load_messages),
    ("api_keys", ("api_keys",), load_api_keys),
    ("bulk_actions", ("bulk_actions",), load_bulk_actions),
    ("event_types", ("event_types",), load_event_types),
    ("portals", ("portals",), load_portals),
)
# Keys alone: one after the other, but without a way to the event loop in between.
KEYED: Final[tuple[Loader, ...]] = (
    ("tasks", (), load_tasks),
    ("events", ("webhooks",), load_events),
    ("idempotency", ("idempotency",), load_idempotency),
    ("own_events", ("own_events", "lanes"), load_own_events),
)
# Asked for beside the loaded tasks.
RELATED: Final[tuple[Loader, ...]] = (
    ("deliveries", ("undelivered",), load_deliveries),
    ("purges", ("purges",), load_purges),
    ("outbox", ("backlogs", "replays", "deliveries", "secrets_of"), load_outbox),
    ("keys", (), load_keys),
)
# In this order: rows refer to rows of an earlier one. Every part of the unit of work is here.
WRITERS: Final[tuple[tuple[str, Write], ...]] = (
    ("outbox", write_endpoints),
    ("tasks", write_tasks),
    ("events", write_events),
    ("own_events", write_own_events),
    ("event_types", write_event_types),
    changes("portals", UPSERT_PORTALS, PORTAL),
    ("patches", write_patches),
    ("deliveries", write_deliveries),
    changes("attempts", UPSERT_ATTEMPTS, ATTEMPT),
    changes("jobs", UPSERT_JOBS, JOB),
    ("secrets", write_secrets),
    changes("workspaces", UPSERT_WORKSPACES, WORKSPACE),
    ("metadata", write_metadata),
    ("idempotency", write_idempotency),
    ("messages", write_messages),
    changes("launchers", UPSERT_LAUNCHERS, LAUNCHER),
    changes("realms", UPSERT_REALMS, REALM),
    changes("keys", UPSERT_HOLDS, HOLD),
    ("claims", write_claims),
    changes("switches", UPSERT_PAUSES, PAUSE),
    ("sweeps", write_sweeps),
    changes("alerts", UPSERT_ALERTS, ALERT),
    ("outbox", write_outbox),
    ("pulse", write_pulse),
    ("api_keys", write_api_keys),
    ("audit", write_audit),
    ("bulk_actions", write_bulk_actions),
    ("purges", write_purges),
    ("retention", write_retention),
)


class CachedRows(Frozen, frozen=True, kw_only=True):
    """Few rows that every batch needs, as they were at a version of the database."""

    version: int | None = None
    """It changes when somebody else has written them; None: nothing was read yet."""
    realms: Mapping[RealmKey, Realm] = {}
    """All that are not known to be missing."""
    pauses: Mapping[PauseKey, Pause] = {}
    """The pauses that rules look at."""
    directory: Directory = field(default_factory=Directory)
    """All endpoints."""

    def committed(self) -> Self:
        """The rows after the commit: a failed one must not leave its endpoints behind."""
        return replace(self, directory=self.directory.committed())


NOTHING: Final = CachedRows()


class Batch:
    """The load of a batch, and what its write needs; each dialect has its own."""

    ledger: str
    """The statement that reads the number of the newest event, and the version of cached rows."""

    def __init__(self, connection: Connection, cached: CachedRows = NOTHING) -> None:
        self.cached = cached
        self._connection = connection

    async def load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        """The union of what the commands of the batch need."""
        if self.cached.version is None:
            await self._refresh()
        unit = await self._load(needs, policy, now)
        # Only now: it was read before the rows, so nobody has to wait for it.
        unit.seq, version = await self.read_ledger()
        if version == self.cached.version:
            return unit
        has_endpoints = self._has_endpoints_of(version)
        await self._refresh()
        again = await self._load(needs, policy, now)
        again.seq = unit.seq
        again.outbox.is_read_anew = not has_endpoints
        return again

    async def _load(self, needs: Sequence[ReadSet], policy: Policy, now: int) -> UnitOfWork:
        unit = UnitOfWork(policy=policy, outbox=Outbox(directory=self.cached.directory))
        unit.realms.update(self.cached.realms)
        unit.switches.update(self.cached.pauses)
        loading = Loading(self._connection, unit, BatchReadSet.of(needs), now)
        for load in _asked(SELECTIONS, loading):
            await load(loading)
        loading.tasks.update(job.task_id for job in unit.jobs.values() if job.task_id is not None)
        first, *others = _asked(KEYED, loading)
        if others:
            await asyncio.gather(first(loading), *(load(loading) for load in others))
        else:
            await first(loading)
        for load in _asked(RELATED, loading):
            await load(loading)
        return unit

    def remember(self, unit: UnitOfWork) -> None:
        """Keeps the cached rows as the unit of work has left them."""
        if unit.outbox.is_changed:
            self.cached = replace(self.cached, directory=unit.outbox.directory)
        if unit.switches.is_changed:
            self.cached = replace(self.cached, pauses=dict(unit.switches))
        if unit.realms.is_changed:
            watched = {key: it for key, it in unit.realms.items() if it.due_at is not None}
            self.cached = replace(self.cached, realms=watched)

    async def _refresh(self) -> None:
        """Reads the cached rows: another connection has written since, or nothing was read yet."""
        _, version = await self.read_ledger()
        has_endpoints = self._has_endpoints_of(version)
        self.cached = CachedRows(
            version=version,
            realms=await watched_realms(self._connection),
            pauses=await read_pauses(self._connection),
            directory=self.cached.directory
            if has_endpoints
            else await read_directory(self._connection),
        )

    def _has_endpoints_of(self, _version: int) -> bool:
        """True if no endpoint has changed up to that version, but other cached rows alone."""
        return False

    async def read_ledger(self) -> tuple[int, int]:
        """The number of the newest event, and the version of cached rows."""
        ((seq, version),) = await self._connection.fetch(self.ledger)
        return seq, version


def written(unit: UnitOfWork, first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """The statements of every changed part, each with its rows; `first` is the number of the first
    new event."""
    parts = unit.parts
    for part, write in WRITERS:
        if parts[part].is_changed:
            for statement, params in write(unit, first):
                if params:
                    yield statement, params


def _asked(loaders: Iterable[Loader], loading: Loading) -> list[Load]:
    """The loads that the batch needs."""
    wanted = loading.wanted
    return [
        load
        for _, fields, load in loaders
        if not fields or any(getattr(wanted, field) for field in fields)
    ]
