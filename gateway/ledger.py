"""The ledger: the only writer. Commands that arrive while a transaction is being written share
the next one, and nobody is answered before the commit."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import structlog

from gateway.domain.decide import decide
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.errors import ApiError, Conflict, ReadOnly, Unavailable
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.launcher_mode import ACTIONS
from gateway.domain.operations.status import Refusing
from gateway.domain.tasks.task import LIVE, Task
from gateway.notifier import Notifier
from gateway.store.protocol import Store

log = structlog.get_logger(__name__)

MAX_QUEUE: Final = 4_096
"""Commands that may wait; past it callers get 503 and try again."""
MAX_BATCH: Final = 512
"""Commands that share one transaction."""
CALLERS_PER_BACKGROUND: Final = 3
"""Commands of callers in a batch for each background command: thousands of clocks that come due at
once take their own time, and not the callers'."""
LEAST_BACKGROUND: Final = 4
"""The least number of background commands in every batch, or few callers would hold them up."""
MOST_BACKGROUND: Final = 128
"""Their number in a batch without callers: a caller that comes now waits for its commit."""
TURNS: Final = 3
"""Turns of the event loop before a batch is closed: one resumes those who were just answered, one
reads what their clients send next, one takes it in. Without them every full batch is followed by
one of a few latecomers, and each of those costs a commit too."""
SOON: Final = 10_000
"""Milliseconds; loops look by themselves more often than that, so only a clock that comes due
earlier is worth waking one for."""
LONGEST_CLAIM: Final = 30_000
"""Milliseconds; a claim waits no longer, so work that is offered later need not wake it."""

TRY_EVERY: Final = 1_000
"""Milliseconds between two tries to write while nothing can be written."""

STUCK_SECONDS: Final = 5.0
"""Seconds that a batch may take before those who wait behind it are refused; it may itself wait for
an answer that decides what its own callers are told."""

SHOWN: Final = 10
"""Tasks of a broken command that its log line names."""

TRIES: Final = 5
"""Tries of a batch that other gateways get in the way of; all but the first are alone."""

Outcome = Answer | ApiError | Exception
Decided = tuple[UnitOfWork, set[str], list[Outcome]]
"""A batch, the topics of its changes, and an outcome for each command."""
Waiting = deque[tuple[Command, asyncio.Future[Answer]]]


def wall_clock() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class Ledger:
    """`await ledger.submit(command)` answers after the commit. Use it inside `running()`."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        clock: Callable[[], int] = wall_clock,
        max_queue: int = MAX_QUEUE,
        max_batch: int = MAX_BATCH,
        turns: int = TURNS,
        stuck_seconds: float = STUCK_SECONDS,
        committed: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.notifier = Notifier()
        self.policy = policy
        self.read_only: Refusing | None = None
        """None: the store can be written."""
        self.followers: Final[list[Callable[[UnitOfWork], None]]] = []
        """Each is given what was committed, before anybody is answered."""
        self._store = store
        self._clock = clock
        self._max_queue = max_queue
        self._max_batch = max_batch
        self._turns = turns
        self._stuck_seconds = stuck_seconds
        self._committed = committed
        self._waiting: Waiting = deque()
        self._background: Waiting = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._is_stuck = False
        """True while a batch takes longer than `STUCK_SECONDS`."""
        self._refused_at = 0

    async def submit(self, command: Command, *, is_background: bool = False) -> Answer:
        """Decides and commits the command together with its neighbours; one of a background
        loop lets callers go first.

        Raises:
            ApiError: the rules do not grant it.
            Unavailable: the queue is full, or the store cannot commit; nothing was stored.
            ReadOnly: as long as nothing can be written; once a second one command is tried.
        """
        # A clock that was put back must not hold up the next try.
        if self.read_only is not None and 0 <= self._clock() - self._refused_at < TRY_EVERY:
            raise ReadOnly(self.read_only.reason)
        queue = self._background if is_background else self._waiting
        if self._closing or self._is_stuck or len(queue) >= self._max_queue:
            raise Unavailable("The gateway takes no more work just now.")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        queue.append((command, answer))
        self._arrived.set()
        return await answer

    @property
    def waiting(self) -> int:
        """Commands that no transaction has taken up yet."""
        return len(self._waiting) + len(self._background)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Ledger"]:
        """Writes batches until the block ends; what was submitted by then is still written, also
        if the block is left by an error or cancelled."""
        self._closing = False
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write_batches(), name="ledger")
            try:
                yield self
            finally:
                self._closing = True
                self._arrived.set()
                # Here, or the group would cancel it when the block raises.
                await asyncio.wait({writing})

    async def _write_batches(self) -> None:
        try:
            while self._has_work or not self._closing:
                await self._arrived.wait()
                self._arrived.clear()
                await self._write_waiting()
        finally:
            self._closing = True
            self._refuse_waiting("The gateway stops.")

    def _refuse_waiting(self, detail: str) -> None:
        """Answers those whose commands no batch has taken up."""
        _give_up([answer for _, answer in (*self._waiting, *self._background)], detail)
        self._waiting.clear()
        self._background.clear()

    @property
    def _has_work(self) -> bool:
        return bool(self._waiting or self._background)

    async def _write_waiting(self) -> None:
        while self._has_work:
            for _ in range(self._turns):
                await asyncio.sleep(0)
            batch = _taken(self._waiting, self._max_batch)
            with self._refusing_behind():
                await self._settle(batch + _taken(self._background, _background_share(batch)))

    @contextmanager
    def _refusing_behind(self) -> Iterator[None]:
        """Nobody waits long behind a batch that is stuck."""
        timer = asyncio.get_running_loop().call_later(self._stuck_seconds, self._get_stuck)
        try:
            yield
        finally:
            timer.cancel()
            self._is_stuck = False

    def _get_stuck(self) -> None:
        log.warning("ledger.stuck", seconds=self._stuck_seconds, refused=self.waiting)
        self._is_stuck = True
        self._refuse_waiting("The store does not answer just now.")

    async def _settle(self, batch: list[tuple[Command, asyncio.Future[Answer]]]) -> None:
        try:
            outcomes = await self._commit([command for command, _ in batch])
        except BaseException:
            _give_up([answer for _, answer in batch], "The gateway stops.")
            raise
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            if answer.done():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    async def _commit(self, commands: list[Command]) -> list[Outcome]:
        """One transaction. A command that breaks it must not fail its neighbours: the batch is
        halved until that command is alone."""
        now = self._clock()
        try:
            unit, topics, outcomes = await self._transact(commands, now)
        except Unavailable as exc:
            log.warning("ledger.unavailable", commands=len(commands), detail=exc.detail)
            if isinstance(exc, ReadOnly):
                self._refuse(exc.detail, now)
            return [exc] * len(commands)
        except Exception as exc:
            if len(commands) == 1:
                tasks = sorted(commands[0].needs.tasks)[:SHOWN]
                log.exception(
                    "ledger.broken_command", command=type(commands[0]).__name__, tasks=tasks
                )
                return [exc]
        else:
            if unit.is_changed and self.read_only is not None:
                log.info("ledger.writable", seconds=(now - self.read_only.since) // 1000)
                self.read_only = None
            self._call_followers(unit)
            self.notifier.notify(topics)
            return outcomes
        middle = len(commands) // 2
        return [
            *await self._commit(commands[:middle]),
            *await self._commit(commands[middle:]),
        ]

    def _refuse(self, reason: str, now: int) -> None:
        """Goes on with reads alone; the next write that is stored ends it."""
        if self.read_only is None:
            log.error("ledger.read_only", reason=reason)
        since = self.read_only.since if self.read_only else now
        self.read_only = Refusing(reason=reason, since=since)
        self._refused_at = now

    def _call_followers(self, unit: UnitOfWork) -> None:
        """The commit stands: a follower that fails must not fail those who wait for an answer, and
        finds by its own reads the commit that it has missed."""
        for follow in self.followers:
            try:
                follow(unit)
            except Exception:
                log.exception("ledger.follower_failed")

    async def _transact(self, commands: list[Command], now: int) -> Decided:
        began = time.perf_counter()
        for _ in range(TRIES):
            with suppress(Conflict):
                found = await self._decide(commands, now)
                self._committed(time.perf_counter() - began)
                return found
        raise Unavailable("Others change the same rows just now.")

    async def _decide(self, commands: list[Command], now: int) -> Decided:
        async with self._store.transaction() as transaction:
            unit = await transaction.load([command.needs for command in commands], self.policy, now)
            outcomes = [_outcome(unit, command, now) for command in commands]
            topics = _topics(unit, now)
            if unit.is_changed:
                await transaction.write(unit, topics)
        return unit, topics, [_numbered(outcome, unit.seq) for outcome in outcomes]


def _background_share(callers: Sequence[object]) -> int:
    """The number of background commands in a batch with these commands of callers."""
    if not callers:
        return MOST_BACKGROUND
    return max(LEAST_BACKGROUND, len(callers) // CALLERS_PER_BACKGROUND)


def _taken(queue: Waiting, most: int) -> list[tuple[Command, asyncio.Future[Answer]]]:
    return [queue.popleft() for _ in range(min(len(queue), most))]


def _give_up(answers: Sequence[asyncio.Future[Answer]], detail: str) -> None:
    """Answers those whose commands are not stored."""
    for answer in answers:
        if not answer.done():
            answer.set_exception(Unavailable(detail))


def _outcome(unit: UnitOfWork, command: Command, now: int) -> Outcome:
    try:
        return decide(unit, command, now)
    except ApiError as refusal:
        return refusal


def _numbered(outcome: Outcome, seq: int) -> Outcome:
    """The outcome of a command, with the numbers that its batch was given."""
    return outcome if isinstance(outcome, Exception) else outcome.numbered(seq)


def _frees(task: Task) -> bool:
    """True if it may be claimed, or has left its concurrency key to another."""
    is_out = task.concurrency_key is not None and task.status not in LIVE
    return is_out or task.claimable_at is not None


def _is_touched(endpoint: Endpoint, now: int) -> bool:
    """True if somebody has just changed it: deliveries that wait for it may go now."""
    return endpoint.updated_at == now != endpoint.created_at


def _topics(unit: UnitOfWork, now: int) -> set[str]:
    """The topics whose subscribers have to look again after this batch."""
    tasks = [unit.tasks[task_id] for task_id in (*unit.tasks.new, *unit.tasks.changed)]
    topics = _event_topics(unit, tasks) | _delivery_topics(unit, now)
    jobs = unit.jobs.changes
    is_work = any(job.is_free and job.not_before < now + LONGEST_CLAIM for job in jobs)
    is_work |= any(entry.action == ACTIONS["working"] for entry in unit.audit)
    if is_work or unit.switches.is_changed or any(map(_frees, tasks)):
        topics.add("jobs")
    moments = [task.due_at for task in tasks]
    moments += [job.lease_expires_at for job in jobs]
    moments += [realm.due_at for realm in unit.realms.changes]
    if any(bulk.is_new for bulk in unit.bulk_actions.changes):
        topics.add("bulk")
    if min(filter(None, moments), default=now + SOON) < now + SOON:
        topics.add("due")
    return topics


def _event_topics(unit: UnitOfWork, tasks: Sequence[Task]) -> set[str]:
    if not unit.events.new:
        return set()
    projects = {task.project for task in tasks}
    projects |= {endpoint.project for endpoint in unit.outbox.changed_endpoints.values()}
    projects |= {own.project for own in unit.own_events.new}
    ids = {event.task_id for event in unit.events.new}
    return {"project:*", *(f"project:{project}" for project in projects), *ids}


def _delivery_topics(unit: UnitOfWork, now: int) -> set[str]:
    outbox = unit.outbox
    topics = set()
    if unit.switches.is_changed:
        topics |= {"deliveries", "endpoints"}
    if outbox.delivery_updates or outbox.callbacks:
        topics.add("deliveries")
    touched = any(_is_touched(each, now) for each in outbox.changed_endpoints.values())
    if outbox.delivery_updates or touched:
        topics.add("endpoints")
    if any(replay.is_new for replay in outbox.changed_replays.values()):
        topics.add("replays")
    return topics
