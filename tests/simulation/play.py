"""One run: the actors of a seed, an hour of faults, and then the peace in which all must settle."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from gateway.domain.launching.realm import ProviderRealm
from tests.simulation.agent import Agent
from tests.simulation.application import Application
from tests.simulation.choices import Choices, Recording, Stream
from tests.simulation.frontend import Frontend
from tests.simulation.gateway import Gateway
from tests.simulation.gateways import Gateways
from tests.simulation.invariants import Violated
from tests.simulation.launcher import Launcher
from tests.simulation.network import Network
from tests.simulation.operations import Operations
from tests.simulation.operator import Operator
from tests.simulation.provider import Realm, Sandbox
from tests.simulation.trace import Trace
from tests.simulation.world import OpenStore, World
from tests.store.conformance.memory import MemoryStore

TASKS: Final = (1, 2, 2, 3)
FAULTY: Final = (600.0, 1_200.0, 2_400.0)
"""Seconds of faults."""
PEACE: Final = 8 * 86_400.0
"""Seconds in which everything settles: a delivery is tried for more than three days."""
STEPS: Final = 60_000
"""Of the scheduler, after which a run counts as one that does not come to rest."""


@dataclass(kw_only=True)
class Run:
    """The result of a run."""

    drawn: Recording
    failure: str | None
    kind: str
    """The failure without its particulars, to know it again."""
    commits: int
    steps: int
    seconds: float
    """Of virtual time."""
    trace: list[str]


def play(
    seed: int,
    recording: Recording | None = None,
    *,
    is_read: bool = False,
    open_store: OpenStore = MemoryStore,
    most_steps: int = STEPS,
) -> Run:
    """Plays the seed, or the recording of a run of it."""
    random.seed(seed)  # the launcher's client spreads its calls with it
    trace = Trace(is_read=is_read)
    world = World(Choices(seed, recording), trace=trace, open_store=open_store)
    installation = Installation(world)
    installation.play(most_steps)
    failure, seconds = world.scheduler.failure, world.scheduler.time()
    world.scheduler.unwind()
    return Run(
        drawn=world.choices.drawn,
        failure=None if failure is None else f"{type(failure).__name__}: {failure}",
        kind=_kind(failure),
        commits=world.invariants.commits,
        steps=world.scheduler.steps,
        seconds=seconds,
        trace=trace.lines,
    )


class Installation:
    """All actors of a run."""

    def __init__(self, world: World) -> None:
        self.world = world
        trace, scheduler = world.trace, world.scheduler
        trace.clock = scheduler.time
        choices = world.choices.stream("installation")
        trace.note("faults", str(world.faults))
        scheduler.call_soon(self._open, choices)

    def _open(self, choices: Stream) -> None:
        world = self.world
        self.site = site = Gateways(world)
        site.gateways += [Gateway(world, site, number) for number in range(site.count)]
        self.network = Network(world.scheduler, site, world.faults)
        apart = choices.below(4) == 3
        self.realms = [Realm(world, name, self._move_in) for name in ("here", "there")[: 1 + apart]]
        self.launchers = [
            Launcher(world, self.network, self.realms[-number * apart], f"l{number}")
            for number in range(2)
        ]
        world.invariants.alive = self._alive
        world.tables.has_orphans = self._has_orphans
        world.look = site.look
        Operator(world, self.network)
        Operations(world, self.network)
        for number in range(2):
            Application(world, self.network, number)
        tasks = choices.pick(TASKS)
        self.frontends = [Frontend(world, self.network, number) for number in range(tasks)]

    def play(self, most_steps: int) -> None:
        """Faults first, then peace; what is wrong is the scheduler's failure."""
        world = self.world
        faulty = world.choices.stream("installation").pick(FAULTY)
        world.scheduler.run_until(faulty, most_steps=most_steps)
        if not world.scheduler.has_failed:
            world.trace.note("world", "faults end")
            world.faults.end()
            self.site.repair()
            self.network.repair()
            self._settle(most_steps)

    def _settle(self, most_steps: int) -> None:
        scheduler = self.world.scheduler
        is_quiet = scheduler.run_until(scheduler.time() + PEACE, most_steps=most_steps)
        if scheduler.has_failed:
            return
        try:
            if not is_quiet:
                raise Violated("it does not come to rest")
            left = chain.from_iterable(realm.left() for realm in self.realms)
            self.world.invariants.settled(left, asked_for=len(self.frontends))
        except Violated as violated:
            scheduler.fail(violated)

    def _alive(self, task_id: str) -> Iterator[int]:
        if self.world.has_jumped:
            return  # a margin of a clock that is set forward is none
        for sandbox in chain.from_iterable(realm.sandboxes.values() for realm in self.realms):
            if sandbox.task_id == task_id and not sandbox.is_late:
                yield sandbox.attempt

    def _has_orphans(self, place: ProviderRealm) -> bool:
        if self.world.faults.sweeps:
            return True
        return any(realm.has_orphans for realm in self.realms if realm.realm == place[1])

    def _move_in(self, sandbox: Sandbox) -> None:
        Agent(self.world, self.network, sandbox)


def _kind(failure: BaseException | None) -> str:
    if failure is None:
        return ""
    words = [word for word in str(failure).split() if word.isalpha()]
    return f"{type(failure).__name__} {' '.join(words[:6])}"
