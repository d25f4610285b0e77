"""The connection of a session: its advisory locks, and the notifications of other gateways."""

import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from psycopg import AsyncConnection, InterfaceError

from gateway.store.ownership import PARTITIONS
from gateway.store.postgres import pool
from gateway.store.postgres.batch import BATCHES
from gateway.store.postgres.connection import PostgresConnection, bounded, configure, is_pooled
from gateway.store.postgres.migrations import session_name
from gateway.store.postgres.notifications import LISTEN
from gateway.store.sql.rows import Row

log = structlog.get_logger(__name__)

SILENT_FOR: Final = 5.0
"""Seconds without a question, after which the server ends a session: its gateway stands still."""

SESSIONS: Final = 7_151_002
"""The first half of the advisory locks of sessions; the second is a partition, or one of these."""
PRESENT: Final = PARTITIONS
LEADER: Final = PARTITIONS + 1

_KEY: Final = "CAST(:sessions AS integer), CAST(:lock AS integer)"
LOCK_SHARED: Final = f"SELECT pg_advisory_lock_shared({_KEY})"
_ANY: Final = """
SELECT CAST(lock AS integer) FROM jsonb_array_elements_text(CAST(:locks AS jsonb)) AS lock
WHERE """
TRY_LOCKS: Final = f"{_ANY}pg_try_advisory_lock(CAST(:sessions AS integer), CAST(lock AS integer))"
UNLOCKS: Final = f"{_ANY}pg_advisory_unlock(CAST(:sessions AS integer), CAST(lock AS integer))"

# Every session sees the locks of all.
LOCKS: Final = """
SELECT CAST(objid AS bigint), CASE WHEN pid = pg_backend_pid() THEN 1 ELSE 0 END
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = CAST(:sessions AS bigint) AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

# Batches of gateways that stand still while the server waits for them. Its own bound of idle
# transactions does not count in the middle of a pipeline, nor behind one that ended in a flush
# (seen: PostgreSQL 16).
END_FROZEN_BATCHES: Final = """
SELECT pg_terminate_backend(batch.pid)
FROM pg_locks AS batch JOIN pg_stat_activity AS client ON client.pid = batch.pid
WHERE batch.locktype = 'advisory' AND batch.granted AND batch.classid = 0
  AND batch.objid = CAST(:batches AS bigint) AND batch.objsubid = 1
  AND batch.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND client.wait_event_type = 'Client'
  AND client.state_change
    < clock_timestamp() - CAST(:seconds AS double precision) * interval '1 second'"""

NEWEST: Final = "SELECT seq FROM ledger"

# A gateway that stands still keeps its connection all the same: the server ends one that asks
# nothing. Behind a pooler this setting would be another client's.
SILENCE: Final = "SELECT set_config('idle_session_timeout', :silent_for, false)"
OPTIONS: Final[dict[str, Any]] = {
    **pool.OPTIONS,
    "application_name": session_name(),
    "target_session_attrs": "read-write",
    "autocommit": True,
}
# A mark is not written over: its connection is another session's already.
MARK: Final = """
SELECT set_config('slipgate.session', :mark, false)
WHERE coalesce(current_setting('slipgate.session', true), '') = ''"""
MARKED: Final = "SELECT current_setting('slipgate.session', true)"
REMEDY: Final = (
    "Set SLIPGATE_DATABASE_SESSION_URL to the address of the same database on the server itself, "
    "or through a pooler in session mode; SLIPGATE_DATABASE_URL may stay."
)
ANSWER_SECONDS: Final = 3
"""Seconds until a server that does not answer counts as lost: before it can have given the locks to
another gateway."""


class ServerConnection:
    """Locks end with it, and so do the notifications."""

    def __init__(self, connection: "AsyncConnection[Row]") -> None:
        self._notified = connection
        self._connection = PostgresConnection(connection)
        self._is_pooled = False
        self._mark = secrets.token_hex()
        self._silent_for = SILENT_FOR

    async def enter(self, silent_for: float) -> None:
        """Listens from now on, and shows the others that this gateway is there, until it has asked
        nothing for so many seconds."""
        self._silent_for = silent_for
        with bounded(self._notified, ANSWER_SECONDS):
            await self._connection.execute(LISTEN)
        await self._ask(SILENCE, silent_for=f"{silent_for * 1000:.0f}ms")
        await self._check_pooler()
        await self._ask(LOCK_SHARED, lock=PRESENT)

    async def newest(self) -> int:
        """The number of the newest event."""
        ((seq,),) = await self._ask(NEWEST)
        return int(seq)

    async def look(self) -> tuple[int, frozenset[int], frozenset[int]]:
        """The number of gateways, the partitions that are taken, and those taken by this one. Ends
        batches whose gateways stand still: they would hold up all others."""
        if self._is_pooled:
            await self._check_owner()
        await self._ask(END_FROZEN_BATCHES, batches=BATCHES, seconds=self._silent_for)
        rows = [*await self._ask(LOCKS)]
        taken = [(lock, is_mine) for lock, is_mine in rows if lock < PARTITIONS]
        return (
            sum(lock == PRESENT for lock, _ in rows),
            frozenset(lock for lock, _ in taken),
            frozenset(lock for lock, is_mine in taken if is_mine),
        )

    async def take(self, locks: Sequence[int]) -> frozenset[int]:
        """Takes what is free of the locks: those that are this gateway's now."""
        rows = await self._ask(TRY_LOCKS, locks=locks)
        return frozenset(lock for (lock,) in rows)

    async def give(self, locks: Collection[int]) -> None:
        """Leaves locks to others."""
        await self._ask(UNLOCKS, locks=[*locks])

    async def payloads(self, seconds: float) -> AsyncIterator[str]:
        """Notifications, as they come in so many seconds; first those that came meanwhile."""
        async for notify in self._notified.notifies(timeout=seconds):
            yield notify.payload

    async def _check_pooler(self) -> None:
        with bounded(self._notified, ANSWER_SECONDS):
            self._is_pooled = await is_pooled(self._notified)
        if self._is_pooled:
            await self._ask(MARK, mark=self._mark)
            await self._check_owner()

    async def _check_owner(self) -> None:
        """A pooler that gives our connection to others gives them our locks, too."""
        ((mark,),) = await self._ask(MARKED)
        if mark != self._mark:
            log.error("session.pooled", do=REMEDY)
            raise InterfaceError("a pooler has given the session another connection")

    async def _ask(self, statement: str, **params: object) -> Iterable[Row]:
        with bounded(self._notified, ANSWER_SECONDS):
            return await self._connection.fetch(statement, {"sessions": SESSIONS, **params})


@asynccontextmanager
async def connected(
    url: str, connect: pool.Connect = AsyncConnection.connect
) -> AsyncIterator[ServerConnection]:
    """A connection of its own."""
    connection = await connect(url, **OPTIONS)
    async with connection:
        await configure(connection)
        yield ServerConnection(connection)
