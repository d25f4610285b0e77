"""The session of a gateway: its place among the gateways of a database, for as long as one
connection lasts.

What one gateway does at a time is bound to advisory locks of that connection, so PostgreSQL itself
takes it away from a gateway that dies: there is no election and no lease to renew. Endpoints are
locked in partitions, which the gateways share evenly.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, Protocol

import psycopg
import structlog

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.ownership import Subscriber
from gateway.store.postgres.notifications import Notification, decoded
from gateway.store.postgres.session_connection import (
    LEADER,
    PARTITIONS,
    connected,
)

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the locks of all: so long does it take until the work of a gateway
that died is taken up."""
LOOK_AT_THE_END: Final = 0.05
"""Seconds between two looks at attempts that have to end before their endpoints are given up."""
CONNECT_AGAIN: Final = 1.0
"""Seconds."""


class SessionConnection(Protocol):
    """A connection whose locks end with it, and its notifications."""

    async def enter(self) -> None:
        """Listens from now on, and shows the others that this gateway is there."""

    async def newest(self) -> int:
        """The number of the newest event."""

    async def look(self) -> tuple[int, frozenset[int], frozenset[int]]:
        """The number of gateways, the partitions that are taken, and those taken by this one."""

    async def take(self, locks: Sequence[int]) -> frozenset[int]:
        """Takes what is free of the locks: those that are this gateway's now."""

    async def give(self, locks: Collection[int]) -> None:
        """Leaves locks to others."""

    def payloads(self, seconds: float) -> AsyncIterator[str]:
        """Notifications, as they come in so many seconds; first those that came meanwhile."""


Connect = Callable[[str], AbstractAsyncContextManager[SessionConnection]]
"""A new connection to the server at this address."""


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

    def __init__(
        self,
        url: str,
        gateway_id: str,
        *,
        look_every: float = LOOK_EVERY,
        connect: Connect = connected,
    ) -> None:
        self.is_leader = False
        self.is_informed = False
        self.version = 0
        self.gateways = 0
        """The number of gateways of the database; 0 while it is out of reach."""
        self._url = url
        self._look_every = look_every
        self._connect = connect
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
                async with self._connect(self._url) as connection:
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

    async def _keep(self, connection: SessionConnection, subscriber: Subscriber) -> None:
        await connection.enter()
        self._informed.restart(await connection.newest())
        # What was committed before is found by reads, and what comes from now on is told.
        subscriber.catch_up()
        log.info("session.begun", gateway=self.gateway_id)
        while True:
            await self._share(connection, {partition(name) for name in subscriber.busy_endpoints})
            if self._is_closing and not self._owned:
                return
            await self._listen(connection, subscriber)

    async def _listen(self, connection: SessionConnection, subscriber: Subscriber) -> None:
        """Receives what others commit until the next look."""
        if self._is_closing:
            await asyncio.sleep(LOOK_AT_THE_END)
            return
        async with self._until_closed():
            async for payload in connection.payloads(self._look_every):
                self._receive(decoded(payload), subscriber)

    async def _share(self, connection: SessionConnection, busy: Collection[int]) -> None:
        """Takes and gives partitions, so that every gateway has as many as the others; none with
        attempts in flight is given."""
        self.gateways, held, mine = await connection.look()
        if not self.is_leader and not self._is_closing:
            self.is_leader = bool(await connection.take([LEADER]))
        fair = 0 if self._is_closing else -(-PARTITIONS // max(1, self.gateways))
        if len(mine) > fair:
            surplus = frozenset(sorted(mine)[fair:])
            self._leaving = surplus
            given = surplus.difference(busy)
            await connection.give(given)
            mine = mine - given
        else:
            self._leaving = frozenset()
            if missing := sorted(set(range(PARTITIONS)) - held)[: fair - len(mine)]:
                mine = mine | await connection.take(missing)
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
