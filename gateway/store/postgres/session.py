"""The session of a gateway: its place among the gateways of a database, for as long as one
connection lasts.

What one gateway does at a time is bound to advisory locks of that connection, so PostgreSQL itself
takes it away from a gateway that dies: there is no election and no lease to renew. Endpoints are
locked in partitions, which the gateways share evenly.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, Protocol

import msgspec
import psycopg
import structlog

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.ownership import PARTITIONS, Subscriber
from gateway.store.postgres.connection import reason
from gateway.store.postgres.notifications import decoded
from gateway.store.postgres.session_connection import (
    LEADER,
    SILENT_FOR,
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
TRUST: Final = 0.6
"""Of the time after which the server ends a silent session, the share for which a gateway relies on
its last look: one that stood still starts nothing more of what is another's by now."""


class SessionConnection(Protocol):
    """A connection whose locks end with it, and its notifications."""

    async def enter(self, silent_for: float) -> None:
        """Listens from now on, and shows the others that this gateway is there, until it has asked
        nothing for so many seconds."""

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
        """Everything up to this number is looked for in the database. Own commits behind it, of
        which nobody else tells, were made while it was read."""
        self._until = newest
        self._close_gaps()

    def add(self, before: int, until: int) -> bool:
        """Notes a range of numbers; True if every number before it was known."""
        is_next = before <= self._until
        self._own[before] = until
        self._close_gaps()
        return is_next

    def _close_gaps(self) -> None:
        for start in sorted(self._own):
            if start > self._until:
                break
            self._until = max(self._until, self._own.pop(start))


class Session:
    """`gateway.store.ownership.Ownership` among several gateways; `run` keeps it."""

    def __init__(
        self,
        url: str,
        gateway_id: str,
        *,
        look_every: float = LOOK_EVERY,
        silent_for: float = SILENT_FOR,
        connect: Connect = connected,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_informed = False
        self.is_unchanged = False
        self.version = 0
        self.gateways = 0
        """The number of gateways of the database; 0 while it is out of reach."""
        self._url = url
        self._look_every = look_every
        self._silent_for = silent_for
        self._looked_at = 0.0
        """The start of the last look at the locks; seconds of a monotonic clock."""
        self._leads = False
        self._connect = connect
        self._monotonic = monotonic
        self.gateway_id = gateway_id
        """The name of this one among the gateways of the database."""
        self._owned: frozenset[int] = frozenset()
        self._taken: frozenset[int] = frozenset()
        """Partitions that any gateway owns."""
        self._leaving: frozenset[int] = frozenset()
        """Partitions that another gateway may have once their attempts have ended."""
        self._informed = Informed()
        self._version_at_begin = 0
        """The version when the last commit began."""
        self._is_closing = False
        self.receivers: Final[list[Callable[[str], None]]] = []
        """Each is given the messages of other gateways."""
        self._wait: asyncio.Timeout | None = None
        """A wait that the end cuts short."""

    def owns(self, endpoint_id: str) -> bool:
        """True if the deliveries to this endpoint start here and nowhere else."""
        number = partition(endpoint_id)
        return number in self._owned and number not in self._leaving and self._is_certain

    @property
    def is_leader(self) -> bool:
        """True if the loops run here that one gateway runs for all."""
        return self._leads and self._is_certain

    @property
    def _is_certain(self) -> bool:
        return self._monotonic() - self._looked_at < TRUST * self._silent_for

    @property
    def partitions(self) -> int:
        """The number of groups of endpoints that are served here."""
        return len(self._owned)

    def begin(self) -> None:
        """Notes that a commit of this gateway begins."""
        self._version_at_begin = self.version

    def follow(self, unit: UnitOfWork) -> None:
        """Notes the numbers of a commit of this gateway."""
        self.is_unchanged = self.version == self._version_at_begin
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
                log.warning("session.lost", reason=reason(exc), again_seconds=CONNECT_AGAIN)
            finally:
                self._own(frozenset())
                self._leads, self.gateways = False, 0
            async with self._until_closed():
                await asyncio.sleep(CONNECT_AGAIN)

    @asynccontextmanager
    async def _until_closed(self) -> AsyncIterator[None]:
        """A block that the end of the session cuts short."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(0 if self._is_closing else None) as self._wait:
                    yield
        finally:
            self._wait = None

    async def _keep(self, connection: SessionConnection, subscriber: Subscriber) -> None:
        await connection.enter(self._silent_for)
        self._informed.restart(await connection.newest())
        # What was committed before is found by reads, and what comes from now on is told.
        subscriber.catch_up()
        log.info("session.begun", gateway=self.gateway_id)
        while True:
            before = self.version
            await self._share(connection, subscriber)
            if self._is_closing and not self._owned:
                return
            if self.version != before:
                subscriber.catch_up()
            await self._listen(connection, subscriber)

    async def _listen(self, connection: SessionConnection, subscriber: Subscriber) -> None:
        """Receives what others commit until the next look."""
        if self._is_closing:
            await asyncio.sleep(LOOK_AT_THE_END)
            return
        async with self._until_closed():
            async for payload in connection.payloads(self._look_every):
                self._receive(payload, subscriber)

    async def _share(self, connection: SessionConnection, subscriber: Subscriber) -> None:
        """Takes and gives partitions, so that every gateway has as many as the others; none with
        attempts in flight is given."""
        mine = await self._look(connection)
        if not self._leads and not self._is_closing:
            self._leads = bool(await connection.take([LEADER]))
        fair = 0 if self._is_closing else -(-PARTITIONS // max(1, self.gateways))
        surplus = frozenset(sorted(mine)[fair:])
        if self._leaving & mine - surplus:
            self.version += 1  # they stay after all; their deliveries were passed over meanwhile
        # From now on nothing is started there: only then can it be seen if something is in flight.
        self._leaving = surplus
        given = surplus.difference(map(partition, subscriber.busy_endpoints))
        if given:
            await connection.give(given)
        free = sorted(set(range(PARTITIONS)) - self._taken)
        if missing := free[: max(0, fair - len(mine))]:
            mine = mine | await connection.take(missing)
        self._own(mine - given)

    async def _look(self, connection: SessionConnection) -> frozenset[int]:
        """The partitions that are this gateway's."""
        began = self._monotonic()
        self.gateways, self._taken, mine = await connection.look()
        if self._owned and not self._is_certain:
            self.version += 1  # meanwhile it owned nothing, and passed over what came due
        self._looked_at = began
        return mine

    def _own(self, partitions: frozenset[int]) -> None:
        if partitions != self._owned:
            self._owned = partitions
            self.version += 1
            log.info("session.partitions", owned=len(partitions), gateways=self.gateways)

    def _receive(self, payload: str, subscriber: Subscriber) -> None:
        try:
            notification = decoded(payload)
        except msgspec.DecodeError:
            # Anybody who may connect to the database can send one, and so may a later version.
            log.warning("session.unreadable_notification")
            subscriber.catch_up()
            return
        if notification.sender == self.gateway_id:
            return
        if notification.message:
            self._call_receivers(notification.message)
            return
        subscriber.receive(notification.topics, notification.due)
        if notification.until:
            self._informed.add(notification.after, notification.until)

    def _call_receivers(self, message: str) -> None:
        """One that a receiver cannot take, of a later version or of a stranger, must not end the
        session, and the gateway with it: messages may be lost."""
        for receive in self.receivers:
            try:
                receive(message)
            except Exception:
                log.exception("session.message_not_taken")
