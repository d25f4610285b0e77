"""PostgreSQL as several gateways meet it, by the rules that it gives.

Locks go to those who wait in the order in which they asked, and are held to the end of a
transaction or of a connection. What a transaction writes is there at its commit, and the
notifications of commits reach each connection in their order, late, or not at all once it is lost.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import OperationalError

from gateway.domain.kernel.errors import Conflict, Unavailable
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.ownership import PARTITIONS
from gateway.store.postgres.batch import LOCK_ALONE, LOCK_SHARED, LOCK_TASKS, TAKE_NUMBERS
from gateway.store.postgres.notifications import NOTIFY
from gateway.store.postgres.session_connection import LEADER
from gateway.store.sql.connection import NO_PARAMS
from tests.simulation.choices import Stream
from tests.simulation.invariants import Violated
from tests.simulation.scheduler import Process
from tests.simulation.world import World
from tests.store.conformance.tables import ConstraintBroken

ROUND_TRIP: Final = (0.0005, 0.001, 0.02, 0.5)
NOTIFIED: Final = (0.001, 0.005, 0.05, 1.0)
"""Seconds until a gateway hears of a commit."""
BOUND: Final = 10.0
"""Seconds until a lock is waited for no longer, and a gateway that stands still is thrown out."""
UNNOTICED: Final = (0.01, 1.0, 9.0)
"""Seconds until a gateway notices that its connection is lost."""


class Lock:
    """Shared by many, or one's alone; who waits, waits in line."""

    def __init__(self) -> None:
        self._holders: dict[Transaction, bool] = {}
        self._waiting: deque[tuple[Transaction, bool, asyncio.Future[None]]] = deque()

    async def take(self, transaction: "Transaction", *, is_alone: bool) -> None:
        """Returns when it is the transaction's."""
        if not self._waiting and self._is_open(is_alone=is_alone):
            self._holders[transaction] = is_alone
            return
        turn = asyncio.get_running_loop().create_future()
        entry = (transaction, is_alone, turn)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(BOUND):
                await turn
        except TimeoutError:
            raise Unavailable("The database is busy.") from None
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
                self._go_on()

    def free(self, transaction: "Transaction") -> None:
        """Leaves it to those who wait."""
        self._holders.pop(transaction, None)
        for entry in [each for each in self._waiting if each[0] is transaction]:
            self._waiting.remove(entry)
            entry[2].cancel()
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._is_open(is_alone=self._waiting[0][1]):
            transaction, is_alone, turn = self._waiting.popleft()
            self._holders[transaction] = is_alone
            if not turn.done():
                turn.set_result(None)

    def _is_open(self, *, is_alone: bool) -> bool:
        return not self._holders or not (is_alone or any(self._holders.values()))


class Transaction:
    """Stands where a batch has its connection."""

    def __init__(self, server: "Server", process: Process) -> None:
        self.process = process
        self.is_over = False
        self._server = server
        self._locks: dict[Lock, None] = {}
        self._payloads: list[str] = []
        self._is_cached_changed = False
        self._began = server.now

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[None]:
        """Nothing is saved here."""
        yield

    async def execute(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> "Transaction":
        """Does what the statement is for."""
        if statement in {LOCK_ALONE, LOCK_SHARED}:
            await self._lock(self._server.batches, is_alone=statement == LOCK_ALONE)
        elif statement == LOCK_TASKS:
            for name in params["ids"]:
                if name in self._server.tables.tasks:
                    await self._lock(self._server.rows[name])
        elif statement == NOTIFY:
            self._payloads.append(params["payload"])
        return self

    async def fetchall(self) -> Sequence[tuple[int, int]]:
        """The row of the ledger."""
        return [(self._server.tables.seq, self._server.version)]

    async def fetch(self, statement: str, params: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """The numbers of its events."""
        assert statement == TAKE_NUMBERS
        await self._lock(self._server.numbers)
        self._is_cached_changed = params["cached"]
        newest = self._server.tables.seq + params["events"]
        others = statement.rpartition("RETURNING")[2].count(",") - 1
        return [(newest, self._server.version + params["cached"], *["1"] * others)]

    async def write(self, _statement: str, _rows: object) -> None:
        """The unit of work is written as a whole."""

    async def _lock(self, lock: Lock, *, is_alone: bool = True) -> None:
        self._check()
        self._locks[lock] = None
        await lock.take(self, is_alone=is_alone)
        self._check()

    def _check(self) -> None:
        if self.is_over:
            raise Unavailable("The database cannot be reached.")

    def commit(self, unit: UnitOfWork, *, is_alone: bool) -> None:
        """Everything is there, and is told."""
        self._check()
        server = self._server
        if unit.seq != server.tables.seq:
            raise Violated(f"event {unit.seq + 1} is committed after {server.tables.seq}")
        try:
            server.tables.apply(unit)
        except ConstraintBroken:
            if is_alone:
                raise
            raise Conflict from None
        server.version += self._is_cached_changed
        server.send(self._payloads)
        self.end()

    def end(self) -> None:
        """Its locks are free; nothing more of it happens."""
        if self.is_over:
            return
        self.is_over = True
        self._server.transactions.pop(self, None)
        if self._server.now - self._began > 1.0:
            self._server.busy_until = self._server.now
        for lock in self._locks:
            lock.free(self)


class Connection:
    """The connection of a session."""

    def __init__(self, server: "Server", process: Process, choices: Stream) -> None:
        self.process = process
        self.is_lost = False
        self.lost_at = server.now
        self.locks: frozenset[int] = frozenset()
        self._server = server
        self._choices = choices
        self._notified: deque[tuple[float, str]] = deque()
        self._woken = asyncio.Event()
        self._noticed = asyncio.Event()
        self._must_look = True

    async def enter(self, _silent_for: float) -> None:
        """Listens from now on, and shows the others that this gateway is there."""
        await self._ask()
        self._server.connections.append(self)
        self._server.notice()

    async def newest(self) -> int:
        """The number of the newest event."""
        await self._ask()
        return self._server.tables.seq

    async def look(self) -> tuple[int, frozenset[int], frozenset[int]]:
        """The number of gateways, the partitions that are taken, and those taken by this one."""
        await self._ask()
        self._must_look = False
        partitions = range(PARTITIONS)
        return (
            len(self._server.connections),
            self._server.held.intersection(partitions),
            self.locks.intersection(partitions),
        )

    async def take(self, locks: Sequence[int]) -> frozenset[int]:
        """Takes what is free of the locks: those that are this gateway's now."""
        await self._ask()
        free = frozenset(locks).difference(self._server.held)
        if free:
            self.locks |= free
            self._server.notice()
        return free

    async def give(self, locks: Collection[int]) -> None:
        """Leaves locks to others."""
        await self._ask()
        if locks:
            self._server.give(self, frozenset(locks))
            self.locks -= frozenset(locks)
            self._server.notice()

    async def payloads(self, seconds: float) -> AsyncIterator[str]:
        """Notifications; looks at locks that would find nothing are left out."""
        loop, end = asyncio.get_running_loop(), None
        while end is None or loop.time() < end:
            await self._hold()
            if end is None and (self._must_look or self._has_surplus):
                end = loop.time() + seconds
            next_at = self._notified[0][0] if self._notified else None
            if next_at is not None and next_at <= loop.time():
                yield self._notified.popleft()[1]
                continue
            await self._sleep(min((at for at in (end, next_at) if at is not None), default=None))

    def send(self, payload: str) -> None:
        """It hears of this, and of nothing that was committed later before it."""
        at = self._server.now + self._choices.pick(NOTIFIED)
        self._notified.append((max(at, self._notified[-1][0] if self._notified else at), payload))
        self._woken.set()

    def notice(self) -> None:
        """The locks of all are others now."""
        self._must_look = True
        self._woken.set()

    def lose(self) -> None:
        """The server ends it; the gateway notices later."""
        if self.is_lost:
            return
        self.is_lost, self.locks = True, frozenset()
        self.lost_at = self._server.now
        if self in self._server.connections:
            self._server.connections.remove(self)
        self._server.notice()
        self._server.world.later(self._choices.pick(UNNOTICED), self._noticed.set)
        self._woken.set()

    @property
    def _has_surplus(self) -> bool:
        fair = -(-PARTITIONS // max(1, len(self._server.connections)))
        return len(self.locks - {LEADER}) > fair

    async def _ask(self) -> None:
        await asyncio.sleep(self._choices.pick(ROUND_TRIP))
        await self._hold()

    async def _hold(self) -> None:
        if self.is_lost:
            await self._noticed.wait()
            raise OperationalError("the connection is lost")

    async def _sleep(self, until: float | None) -> None:
        self._woken.clear()
        loop = asyncio.get_running_loop()
        timer = None if until is None else loop.call_at(until, self._woken.set)
        await self._woken.wait()
        if timer is not None:
            timer.cancel()


class Server:
    """One database, and everybody's locks on it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tables = world.tables
        self.version = 0
        """The version of the rows that gateways cache."""
        self.batches = Lock()
        self.numbers = Lock()
        self.rows: dict[str, Lock] = defaultdict(Lock)
        self.connections: list[Connection] = []
        self.transactions: dict[Transaction, None] = {}
        self.newest: dict[Process, Connection] = {}
        """The connection of each session."""
        self.silent: dict[Process, float] = defaultdict(float)
        """Seconds in which a gateway could not look at the locks."""
        self.busy_until = 0.0
        """The last time at which a transaction ended that others had to wait for."""
        self.give: Callable[[Connection, frozenset[int]], None] = lambda *_: None
        """Looks at what a gateway leaves to others."""
        self.changed: Callable[[], None] = lambda: None
        """Partitions, or the leader, may be others soon."""

    @property
    def now(self) -> float:
        """Seconds."""
        return self.world.scheduler.time()

    @property
    def held(self) -> frozenset[int]:
        """All locks of sessions."""
        return frozenset[int]().union(*(each.locks for each in self.connections))

    def monotonic(self, process: Process) -> float:
        """A clock of seconds in which it could not look: the looks that are left out would have
        come at all other times."""
        connection = self.newest.get(process)
        if connection is None or not connection.is_lost:
            return self.silent[process]
        return self.silent[process] + self.now - connection.lost_at

    @asynccontextmanager
    async def transaction(self, process: Process) -> AsyncIterator[Transaction]:
        """One of a gateway; of one that dies it ends when the server notices."""
        transaction = Transaction(self, process)
        self.transactions[transaction] = None
        try:
            yield transaction
        finally:
            self._end(transaction.end, process)

    @asynccontextmanager
    async def connect(
        self, process: Process, choices: Stream, _url: str
    ) -> AsyncIterator[Connection]:
        """A new connection of a session."""
        connection = Connection(self, process, choices)
        if before := self.newest.get(process):
            self.silent[process] += self.now - before.lost_at
        self.newest[process] = connection
        try:
            yield connection
        finally:
            self._end(connection.lose, process)

    def _end(self, end: Callable[[], None], process: Process) -> None:
        if process.is_alive:
            end()
        else:
            self.world.later(process.lingers, end)

    def send(self, payloads: Sequence[str]) -> None:
        """Everybody hears of a commit, whoever has made it."""
        for connection in self.connections:
            for payload in payloads:
                connection.send(payload)

    def notice(self) -> None:
        """Everybody looks at the locks again."""
        for connection in self.connections:
            connection.notice()
        self.changed()

    def throw_out(self, process: Process) -> None:
        """Ends the transactions of a gateway that stands still: all others wait for them."""
        for transaction in [each for each in self.transactions if each.process is process]:
            transaction.end()
