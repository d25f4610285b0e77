"""The gateway: the real ledger, rules, reconciler and deliverer between a network and a disk.

Left out are HTTP, JSON of requests, keys and signatures (`handlers` imitates what is made of them).
A crash drops everything but the tables; a restart begins from them. Of several gateways each has
the real session among the others, on `server`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from gateway.domain.kernel.errors import Conflict, Unavailable
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.ledger import Ledger
from gateway.loops.bulk import BulkRunner
from gateway.loops.deliveries.deliver import Deliverer
from gateway.loops.reconcile import Reconciler
from gateway.store.ownership import ALONE, Ownership
from gateway.store.postgres.session import Session
from tests.simulation.deliverer import deliverer
from tests.simulation.gateways import LONGEST_POLL, Gateways
from tests.simulation.handlers import KEY_ID, Handlers
from tests.simulation.scheduler import Process
from tests.simulation.shared_store import SharedStore
from tests.simulation.world import World

DOWN: Final = (0.5, 2.0, 12.0, 40.0, 400.0)
LINGERS: Final = (0.0, 0.0, 4.0, 10.0)
"""Seconds until the server notices the end of a connection, as when a machine dies."""
SKEWS: Final = (0, 0, 300, -300, 1_500)
"""Milliseconds by which the clock of one of several gateways is fast."""
COMMIT: Final = (0.002, 0.004, 0.01, 0.3)
UNANSWERED: Final = (0.5, 3.0, 12.0)
"""Seconds until a gateway knows the outcome of a commit whose answer was lost."""
LANDING: Final = 3.0
"""Seconds that attempts in flight have at a stop."""


Step = Callable[[], Awaitable[float | None]]


class Gateway(Handlers):
    """`process` is the one that runs, or the last one that did."""

    def __init__(self, world: World, site: Gateways, number: int = 0) -> None:
        name = f"gateway {number}" if number else "gateway"
        super().__init__(world, world.choices.stream(name), number)
        self._site = site
        self._name = name
        self._skew = self._choices.pick(SKEWS) if site.server else 0
        self.back_at = 0.0
        self.is_leaving = False
        self.unseen_since: float | None = None
        """Since then somebody who follows the feed here has not seen an event."""
        self.callers: list[asyncio.Future[Any]] = []
        self.in_flight: list[str] = []
        """The endpoints to which attempts are under way."""
        self.start()

    def start(self) -> None:
        """A new process on the tables."""
        world, server = self._world, self._site.server
        self.process = Process(world.scheduler, self._name)
        self.waiting.clear()
        self.is_leaving, self.unseen_since = False, None
        self.callers, self.in_flight = [], []
        self._site.unsettle()
        commit = partial(self._commit, self.process)
        self.session: Session | None = None
        if server is None:
            self.store = world.open_store(commit)
        else:
            connect = partial(server.connect, self.process, self._choices)
            monotonic = partial(server.monotonic, self.process)
            self.session = Session("", self._name, connect=connect, monotonic=monotonic)
            self.store = SharedStore(server, self.process, commit, ownership=self.session)
        self.ownership: Ownership = self.session or ALONE
        self.reads = self.store.reads
        self.policy = Policy(key_id=KEY_ID, instance_id=world.instance, started_at=self.clock())
        self.ledger = Ledger(self.store, self.policy, clock=self.clock, turns=1)
        self.process.spawn(self._run(self.ledger))

    def clock(self) -> int:
        """Its wall clock (milliseconds)."""
        return self._world.wall() + self._skew

    @property
    def is_up(self) -> bool:
        """True if it answers."""
        return self.process.is_alive and not self.process.is_still

    def crash(self, why: str, down: float | None = None) -> None:
        """Drops everything that was not committed; somebody starts it again."""
        world = self._world
        self._site.lose(self)
        down = self._choices.pick(DOWN) if down is None else down
        world.trace.note(self._name, f"killed {why}, back in {down} s")
        if self.session is not None:
            self.process.lingers = self._choices.pick(LINGERS)
            self._site.unsettle(self.process.lingers)
        self.process.kill()
        self.back_at = world.scheduler.time() + down
        world.later(down, self.start)

    def leave(self) -> None:
        """Takes nothing new, and gives its work to the others; somebody starts it again."""
        assert self.session is not None
        self._world.trace.note(self._name, "stops")
        self.is_leaving = True
        self.session.close()
        self._world.later(LANDING, self._end, self.process)

    def _end(self, process: Process) -> None:
        if process is self.process and process.is_alive:
            self.crash("at its end")

    def stand_still(self, seconds: float) -> None:
        """Does nothing for so long; the others do not wait."""
        self._site.lose(self)
        self._world.trace.note(self._name, f"stands still for {seconds} s")
        self.process.stand_still()
        self._world.later(seconds, self.go_on, self.process, seconds)

    def go_on(self, process: Process, seconds: float) -> None:
        """After it stood still for so long."""
        if process is self.process and process.is_still:
            self._site.unsettle()
            if self._site.server is not None:
                self._site.server.silent[process] += seconds
                self._site.server.notice()
            process.go_on()
            self._world.later(LONGEST_POLL, self.notify, "owned")

    def call_again(self) -> None:
        """Launchers that wait are live."""
        self._site.call_again()

    def notify(self, topic: str) -> None:
        """Wakes whoever waits for the topic."""
        if self.process.is_alive:
            self.ledger.notifier.notify((topic,))

    async def _run(self, ledger: Ledger) -> None:
        reconciler = Reconciler(self.reads, self.submit_any, self.clock)
        async with ledger.running(), asyncio.TaskGroup() as flights:
            loop = deliverer(self._world, self._site.receivers, self, flights)
            pages = BulkRunner(self.reads, self.submit_any)
            steps: list[tuple[Step, tuple[str, ...]]] = [
                (lambda: self._reconcile(reconciler), ("due", "plan")),
                (lambda: self._deliver(loop), loop.topics),
                (lambda: self._advance_bulk(pages), pages.topics),
            ]
            if self.session is not None:
                flights.create_task(self.session.run(loop))
                steps.append((self._read_feed, ("project:*",)))
            for step, topics in steps:
                flights.create_task(self._loop(ledger, step, (*topics, "owned", "look")))
            await asyncio.Future()

    async def _loop(self, ledger: Ledger, step: Step, topics: tuple[str, ...]) -> None:
        """As the real runner, but looks that would find nothing are left out."""
        with ledger.notifier.listen(*topics) as listener:
            while True:
                try:
                    seconds = await step()
                except Unavailable:
                    seconds = 0.5
                await listener.wait(seconds)

    @contextmanager
    def attempt(self, endpoint_id: str) -> Iterator[None]:
        """An attempt at a delivery, while it is under way."""
        self._site.hold_owner(self, endpoint_id)
        if self._site.server is None or self._site.is_calm:
            self._world.invariants.sends_at(self.clock())
        in_flight = self.in_flight
        in_flight.append(endpoint_id)
        try:
            yield
        finally:
            in_flight.remove(endpoint_id)

    async def _deliver(self, loop: Deliverer) -> float | None:
        """Nothing comes due at a gateway while nothing is undelivered."""
        seconds = await loop.step()
        return seconds if await self.reads.has_pending() else None

    async def _advance_bulk(self, pages: BulkRunner) -> float | None:
        if not self.ownership.is_leader:
            return None
        seconds = await pages.step()
        return seconds if await self.reads.running_bulk_actions() else None

    async def _reconcile(self, reconciler: Reconciler) -> float | None:
        if not self.ownership.is_leader:
            return None
        site = self._site
        site.lead(self)
        site.keep_pulse()
        site.call_again()
        site.planned = 0.0  # whatever this step commits, it looks afterwards
        await reconciler.step()
        site.planned = None
        due = site.next_due()
        if due is None:
            return None
        seconds = max(0.05, (due - self._world.wall()) / 1000)
        site.planned = self._world.scheduler.time() + seconds
        return seconds

    async def _read_feed(self) -> None:
        self.unseen_since = None

    async def _commit(
        self, process: Process, needs: Sequence[ReadSet], view: UnitOfWork, apply: Callable[[], Any]
    ) -> None:
        world, faults, site = self._world, self._world.faults, self._site
        await asyncio.sleep(self._choices.pick(COMMIT))
        now = world.scheduler.time()
        if now >= site.full_until and self._choices.happens(faults.disk_full):
            site.break_disk()
        if self._choices.happens(faults.gateway_crash) and process.is_alive:
            self.crash("before a commit")
        if not process.is_alive:
            raise asyncio.CancelledError
        if world.scheduler.time() < site.full_until:
            raise Unavailable("The disk is full.")
        has_answer = self.session is None or not self._choices.happens(faults.commit_unanswered)
        if not has_answer and self._choices.below(2):
            await self._wait_for_outcome()
            raise Conflict
        self._apply(needs, view, apply)
        if self._choices.happens(faults.clock_jump):
            site.jump()
        if not has_answer:
            await self._wait_for_outcome()
        if self._choices.happens(faults.gateway_crash):
            if self._choices.below(2):
                world.scheduler.call_later(0.0015, self._crash_later, process)
            else:
                self.crash("after a commit")
                raise asyncio.CancelledError

    async def _wait_for_outcome(self) -> None:
        self._world.trace.note(self._name, "hears no answer to its commit")
        self._site.unsettle(UNANSWERED[-1])
        await asyncio.sleep(self._choices.pick(UNANSWERED))

    def _apply(self, needs: Sequence[ReadSet], view: UnitOfWork, apply: Callable[[], Any]) -> None:
        try:
            self._site.hold_prompt()
            self._world.invariants.check(needs, view, apply)
        except (Conflict, Unavailable):
            raise
        except Exception as error:
            self._world.scheduler.fail(
                error
            )  # at once: the ledger would look for the guilty command
            raise
        self.committed_at = self._world.scheduler.time()
        self._site.follow(view)

    def _crash_later(self, process: Process) -> None:
        if process.is_alive and process is self.process:
            self.crash("amid its answers")
