"""The session of a gateway: its place among the gateways of a database, for as long as one
connection lasts.

What one gateway does at a time is bound to advisory locks of that connection, so PostgreSQL itself
takes it away from a gateway that dies: there is no election and no lease to renew. Endpoints are
locked in partitions, which the gateways share evenly.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.ownership import Subscriber
from gateway.store.postgres.connection import PostgresConnection, configure
from gateway.store.postgres.notifications import LISTEN, Notification, decoded
from gateway.store.sql.rows import Row

log = structlog.get_logger(__name__)

PARTITIONS: Final = 64
"""Groups of endpoints; a gateway owns whole ones."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the locks of all: so long does it take until the work of a gateway
that died is taken up."""
LOOK_AT_THE_END: Final = 0.05
"""Seconds between two looks at attempts that have to end before their endpoints are given up."""
CONNECT_AGAIN: Final = 1.0
"""Seconds."""

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

NEWEST: Final = "SELECT seq FROM ledger"

# A server that loses its client without a word, as when a machine dies, notices it in 10 s; so does
# the client. Behind a pooler these settings would be another client's.
KEEPALIVE: Final = """
SELECT set_config('tcp_keepalives_idle', '4', false),
    set_config('tcp_keepalives_interval', '2', false),
    set_config('tcp_keepalives_count', '3', false)"""
OPTIONS: Final[dict[str, Any]] = {
    "application_name": "slipgate session",
    "target_session_attrs": "read-write",
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "autocommit": True,
}


def partition(endpoint_id: str) -> int:
    """The partition of an endpoint."""
    return zlib.crc32(endpoint_id.encode()) % PARTITIONS


class Informed:
    """The numbers of events up to which this gateway knows of every one: those of its own commits,
    and those that it was told of, which come in the order of commits."""

    def __init__(self) -> None:
        self._until = 0
        self._own: dict[int, int] = {}
        """Own commits behind a gap: the number before the first event, and that of the last."""

    def restart(self, newest: int) -> None:
        """Everything up to this number is looked for in the database."""
        self._until = newest
        self._own.clear()

    def add(self, before: int, until: int) -> bool:
        """Notes a range of numbers; True if every number before it was known."""
        is_next = before <= self._until
        self._own[before] = until
        for start in sorted(self._own):
            if start > self._until:
                break
            self._until = max(self._until, self._own.pop(start))
        return is_next


class Session:
    """`gateway.store.ownership.Ownership` among several gateways; `run` keeps it."""

    def __init__(self, url: str, gateway_id: str, *, look_every: float = LOOK_EVERY) -> None:
        self.is_leader = False
        self.is_informed = False
        self.version = 0
        self.gateways = 0
        """The number of gateways of the database; 0 while it is out of reach."""
        self._url = url
        self._look_every = look_every
        self.gateway_id = gateway_id
        """The name of this one among the gateways of the database."""
        self._owned: frozenset[int] = frozenset()
        self._leaving: frozenset[int] = frozenset()
        """Partitions that another gateway may have once their attempts have ended."""
        self._informed = Informed()
        self._is_closing = False
        self._wait: asyncio.Timeout | None = None
        """A wait that the end cuts short."""

    def owns(self, endpoint_id: str) -> bool:
        """True if the deliveries to this endpoint start here and nowhere else."""
        number = partition(endpoint_id)
        return number in self._owned and number not in self._leaving

    def follow(self, unit: UnitOfWork) -> None:
        """Notes the numbers of a commit of this gateway."""
        if unit.events.new:
            is_notified = self.gateways > 0
            self.is_informed = is_notified and self._informed.add(unit.seq, unit.newest)

    def close(self) -> None:
        """Gives everything up, partition by partition as their attempts end."""
        if not self._is_closing and self._wait is not None:
            self._wait.reschedule(0)
        self._is_closing = True

    async def run(self, subscriber: Subscriber) -> None:
        """Keeps the session, on a new connection whenever one is lost, until it is closed and
        everything was given up."""
        while not self._is_closing:
            try:
                async with self._connected() as connection:
                    await self._keep(connection, subscriber)
            except psycopg.Error as exc:
                log.warning("session.lost", error=type(exc).__name__, again_seconds=CONNECT_AGAIN)
            finally:
                self._own(frozenset())
                self.is_leader, self.gateways = False, 0
            async with self._until_closed():
                await asyncio.sleep(CONNECT_AGAIN)

    @asynccontextmanager
    async def _until_closed(self) -> AsyncIterator[None]:
        """A block that the end of the session cuts short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._is_closing else None) as self._wait:
                yield
        self._wait = None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator["AsyncConnection[Row]"]:
        connection = await AsyncConnection.connect(self._url, **OPTIONS)
        async with connection:
            await configure(connection)
            yield connection

    async def _keep(self, connection: "AsyncConnection[Row]", subscriber: Subscriber) -> None:
        locks = _Locks(PostgresConnection(connection))
        await connection.execute(LISTEN)
        await locks.enter()
        self._informed.restart(await locks.newest())
        # What was committed before is found by reads, and what comes from now on is told.
        subscriber.catch_up()
        log.info("session.begun", gateway=self.gateway_id)
        while True:
            await self._share(locks, {partition(name) for name in subscriber.busy_endpoints})
            if self._is_closing and not self._owned:
                return
            await self._listen(connection, subscriber)

    async def _listen(self, connection: "AsyncConnection[Row]", subscriber: Subscriber) -> None:
        """Receives what others commit until the next look."""
        if self._is_closing:
            await asyncio.sleep(LOOK_AT_THE_END)
            return
        async with self._until_closed():
            async for notify in connection.notifies(timeout=self._look_every):
                self._receive(decoded(notify.payload), subscriber)

    async def _share(self, locks: "_Locks", busy: Collection[int]) -> None:
        """Takes and gives partitions, so that every gateway has as many as the others; none with
        attempts in flight is given."""
        self.gateways, held, mine = await locks.look()
        if not self.is_leader and not self._is_closing:
            self.is_leader = bool(await locks.take([LEADER]))
        fair = 0 if self._is_closing else -(-PARTITIONS // max(1, self.gateways))
        if len(mine) > fair:
            surplus = frozenset(sorted(mine)[fair:])
            self._leaving = surplus
            given = surplus.difference(busy)
            await locks.give(given)
            mine = mine - given
        else:
            self._leaving = frozenset()
            if missing := sorted(set(range(PARTITIONS)) - held)[: fair - len(mine)]:
                mine = mine | await locks.take(missing)
        self._own(mine)

    def _own(self, partitions: frozenset[int]) -> None:
        if partitions != self._owned:
            self._owned = partitions
            self.version += 1
            log.info("session.partitions", owned=len(partitions), gateways=self.gateways)

    def _receive(self, notification: Notification, subscriber: Subscriber) -> None:
        if notification.sender == self.gateway_id:
            return
        subscriber.receive(notification.topics, notification.due)
        if notification.until:
            self._informed.add(notification.after, notification.until)


class _Locks:
    """The advisory locks of a session."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection

    async def enter(self) -> None:
        """Shows the others that this gateway is there."""
        await self._connection.fetch(KEEPALIVE)
        await self._connection.fetch(LOCK_SHARED, {"sessions": SESSIONS, "lock": PRESENT})

    async def newest(self) -> int:
        """The number of the newest event."""
        ((seq,),) = await self._connection.fetch(NEWEST)
        return int(seq)

    async def look(self) -> tuple[int, frozenset[int], frozenset[int]]:
        """The number of gateways, the partitions that are taken, and those taken by this one."""
        rows = [*await self._connection.fetch(LOCKS, {"sessions": SESSIONS})]
        taken = [(lock, is_mine) for lock, is_mine in rows if lock < PARTITIONS]
        return (
            sum(lock == PRESENT for lock, _ in rows),
            frozenset(lock for lock, _ in taken),
            frozenset(lock for lock, is_mine in taken if is_mine),
        )

    async def take(self, locks: Sequence[int]) -> frozenset[int]:
        """Takes what is free of the locks: those that are this gateway's now."""
        rows = await self._connection.fetch(TRY_LOCKS, {"sessions": SESSIONS, "locks": locks})
        return frozenset(lock for (lock,) in rows)

    async def give(self, locks: Collection[int]) -> None:
        """Leaves locks to others."""
        await self._connection.fetch(UNLOCKS, {"sessions": SESSIONS, "locks": [*locks]})
