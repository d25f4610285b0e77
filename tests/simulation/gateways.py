"""The gateways of a run behind one address, and what befalls them together."""

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.realm import LIVE_FOR
from gateway.ledger import LONGEST_CLAIM
from gateway.loops.runner import LEADER_AGAIN
from gateway.store.postgres.session import CONNECT_AGAIN, partition
from gateway.store.postgres.session_connection import SILENT_FOR
from tests.simulation.deliverer import Receivers
from tests.simulation.handlers import Waiting
from tests.simulation.invariants import Violated
from tests.simulation.network import break_off
from tests.simulation.server import BOUND, UNNOTICED, Connection, Server
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.gateway import Gateway

SHARED: Final = 5
"""One run in so many has several gateways."""
LONGEST_POLL: Final = 5.0
"""Seconds after which a loop looks by itself."""
PROMPT: Final = 4
"""Seconds in which something is done about what can be done."""
CALLS: Final = 20_000
"""Milliseconds between the calls of a launcher that waits for work."""
FULL: Final = (0.5, 4.0, 40.0)
JUMPS: Final = (1, -1, 10, -10, 100, -100, 4_000, -600)
STANDS: Final = (3.0, 8.0, 25.0, 100.0)
PATIENCE: Final = 30.0
"""Seconds until a caller gives up a gateway that stands still."""
RECONNECTS: Final = UNNOTICED[-1] + CONNECT_AGAIN


class Gateways:
    """Knows how long nothing has disturbed it, and who leads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._choices = world.choices.stream("site")
        self.gateways: list[Gateway] = []
        self.count = 1
        if world.is_shared and self._choices.below(SHARED) == SHARED - 1:
            self.count = 2 + self._choices.below(2)
        self.server = Server(world) if self.count > 1 else None
        if self.server is not None:
            self.server.give = self._hold_given
            self.server.changed = self._look_at_locks
        self.receivers = Receivers(world.faults, world.choices.stream("receivers"))
        self.full_until = 0.0
        self.calm_since = 0.0
        """Since then nothing has kept anybody from being prompt."""
        self.planned: float | None = None
        """The next look of the reconciler; None: nothing is due."""
        self.leader: tuple[Gateway, object] | None = None
        """The gateway whose loops run, and its process."""
        self._led_since = 0.0
        self._held_at = -1.0
        self._unwoken: dict[tuple[Waiting, str], float] = {}
        """Claims with work that nobody has told them of, and since when."""

    @property
    def now(self) -> float:
        """Seconds."""
        return self._world.scheduler.time()

    @property
    def back_at(self) -> float:
        """The time at which one of them runs again (seconds)."""
        return min(0.0 if each.process.is_alive else each.back_at for each in self.gateways)

    @property
    def waiting(self) -> Iterator[Waiting]:
        """Claims that wait for work, of launchers that live."""
        for gateway in self.gateways:
            if gateway.is_up:
                yield from (each for each in gateway.waiting.values() if each.caller.is_alive)

    def pick(self, answer: asyncio.Future[Any]) -> "Gateway":
        """The gateway that a call reaches."""
        if self.count == 1:
            return self.gateways[0]
        living = [each for each in self.gateways if each.process.is_alive and not each.is_leaving]
        gateway = self._choices.pick(living or self.gateways)
        gateway.callers = [each for each in gateway.callers if not each.done()] + [answer]
        return gateway

    def unsettle(self, seconds: float = 0.0) -> None:
        """Something happens; its effects last so long."""
        self.calm_since = max(self.calm_since, self.now + seconds)

    def repair(self) -> None:
        """The disk has room again."""
        self.full_until = min(self.full_until, self.now)

    def look(self) -> None:
        """Everybody who waits looks again."""
        self.notify("look")

    def notify(self, topic: str) -> None:
        """Wakes whoever waits for the topic at any gateway."""
        for gateway in self.gateways:
            gateway.notify(topic)

    def lead(self, gateway: "Gateway") -> None:
        """Its loops run from now on."""
        if self.leader != (gateway, gateway.process):
            self.leader, self._led_since = (gateway, gateway.process), self.now

    def lose(self, gateway: "Gateway") -> None:
        """It does nothing from now on."""
        self.keep_pulse()
        if self.leader is not None and self.leader[0] is gateway:
            self.leader = None
        self.unsettle()

    def keep_pulse(self) -> None:
        """The pulses since the last one, which changed nothing else, are told in one."""
        tables = self._world.tables
        last = self._world.wall() - int(LONGEST_POLL * 1000)
        if self._is_well and (tables.pulse_at or 0) < last:
            tables.pulse_at = last

    @property
    def _is_well(self) -> bool:
        """True if the store could have committed for a while."""
        busy_until = self.server.busy_until if self.server else 0.0
        since = max(self._led_since, self.full_until, busy_until)
        return self.leader is not None and self.now - since > LONGEST_POLL

    def call_again(self) -> None:
        """A launcher that waits calls again every 20 s: that it is live is told in one."""
        if not self._is_well:
            return
        tables, now = self._world.tables, self._world.wall()
        for waiting in self.waiting:
            for place in waiting.command.providers:
                realm = tables.realms[*place, ""]
                if now - realm.called_at > CALLS:
                    tables.realms[realm.key] = replace(realm, called_at=now, due_at=now + LIVE_FOR)
                    if self.server is not None:
                        self.server.version += 1

    def next_due(self) -> int | None:
        """A realm in which a launcher waits does not fall silent."""
        tables = self._world.tables
        served = {place for each in self.waiting for place in each.command.providers}
        realms = (
            each.due_at for each in tables.realms.values() if each.provider_realm not in served
        )
        return min(filter(None, chain(tables.due_moments(), realms)), default=None)

    def follow(self, view: UnitOfWork) -> None:
        """A commit: what it leaves to polls, which are left out, is looked at by then."""
        self._replan()
        self._ask_again(view)
        if self.server is not None:
            if view.events.new:
                for gateway in self.gateways:
                    gateway.unseen_since = gateway.unseen_since or self.now
            self._disturb()

    def _replan(self) -> None:
        """A clock that comes due before the reconciler planned to look is found by a look."""
        due = self.next_due()
        if due is None:
            return
        at = self.now + (due - self._world.wall()) / 1000
        if self.planned is None or at < self.planned - 0.05:
            self.planned = at
            self._world.later(LONGEST_POLL, self.notify, "plan")

    def _ask_again(self, view: UnitOfWork) -> None:
        """A job for later wakes nobody: a claim that is asked anew until then learns of it."""
        now = self._world.wall()
        for name in view.jobs.changed:
            job = view.jobs[name]
            if job.is_free and job.not_before >= now + LONGEST_CLAIM:
                self._world.later((job.not_before - now) / 1000, self.notify, "again")

    def break_disk(self) -> None:
        """It is full for a while."""
        self.keep_pulse()
        self.full_until = self.now + self._choices.pick(FULL)
        self._world.trace.note("disk", f"full until {self.full_until:.3f}")

    def jump(self) -> None:
        """The wall clock is set."""
        self.keep_pulse()
        self.unsettle()
        # Several do not jump together: each has a clock that differs.
        self._world.jump(self._choices.pick(JUMPS if self.server is None else JUMPS[:2]))
        self._world.later(LONGEST_POLL, self.look)

    @property
    def is_calm(self) -> bool:
        """True if nothing keeps anybody from being prompt."""
        busy_until = self.server.busy_until if self.server else 0.0
        return self.now - max(self.calm_since, self.full_until, busy_until) >= 2 * PROMPT

    def hold_prompt(self) -> None:
        """Waiting callers are woken and due clocks are handled within seconds."""
        world, now = self._world, self.now
        if now == self._held_at:
            return
        self._held_at = now
        if not self.is_calm:
            return
        late = world.wall() - PROMPT * 1000
        self._hold_woken(late)
        for task_id, due in world.tables.due.items():
            if due is not None and due < late:
                raise Violated(f"a clock of {task_id} came due at {due}, and nobody looked")
        for gateway in self.gateways:
            is_late = (gateway.unseen_since or now) < now - PROMPT
            if is_late and gateway.is_up and not gateway.is_leaving:
                raise Violated(f"who follows the feed at {gateway.process.name} was not woken")

    def _hold_woken(self, late: int) -> None:
        """A lease that has run out makes work at once, of which other gateways hear later."""
        unwoken, self._unwoken = self._unwoken, {}
        for waiting in self.waiting:
            if waiting.since >= self.now - PROMPT:
                continue
            if work := self._world.tables.work_for(waiting.command, late):
                since = self._unwoken[waiting, work] = unwoken.get((waiting, work), self.now)
                if self.server is None or since < self.now - PROMPT:
                    who = waiting.command.launcher_id
                    raise Violated(f"{who} waits, and was not woken for {work}")

    def hold_owner(self, gateway: "Gateway", endpoint_id: str) -> None:
        """An attempt begins: at the gateway that owns the endpoint, or believes it still does."""
        if self.server is None:
            return
        for connection in self.server.connections:
            is_its = partition(endpoint_id) in connection.locks
            others = connection.process is not gateway.process
            mine = any(each.process is gateway.process for each in self.server.connections)
            if is_its and others and mine:
                raise Violated(
                    f"{gateway.process.name} sends to {endpoint_id} of {connection.process.name}"
                )

    def _hold_given(self, connection: Connection, locks: frozenset[int]) -> None:
        for gateway in self.gateways:
            if gateway.process is connection.process:
                given = [name for name in gateway.in_flight if partition(name) in locks]
                if given:
                    raise Violated(f"{gateway.process.name} gives {given} amid attempts")

    def _look_at_locks(self) -> None:
        self.unsettle()
        for seconds in (LEADER_AGAIN, LONGEST_POLL):
            self._world.later(seconds + 0.1, self.notify, "owned")

    def _disturb(self) -> None:
        choices, faults = self._choices, self._world.faults
        if choices.happens(faults.session_lost):
            self._lose_session(choices.pick(self.gateways))
        if choices.happens(faults.gateway_stands):
            gateway = choices.pick(self.gateways)
            if gateway.is_up:
                self._stand_still(gateway, choices.pick(STANDS))
        if choices.happens(faults.gateway_leaves):
            gateway = choices.pick(self.gateways)
            if gateway.is_up and not gateway.is_leaving:
                gateway.leave()

    def _lose_session(self, gateway: "Gateway") -> None:
        assert self.server is not None
        for connection in [*self.server.connections]:
            if connection.process is gateway.process:
                self._world.trace.note(gateway.process.name, "loses its session")
                self.unsettle(RECONNECTS)
                connection.lose()

    def _stand_still(self, gateway: "Gateway", seconds: float) -> None:
        """The server ends its transaction, then its session."""
        assert self.server is not None
        gateway.stand_still(seconds)
        self.unsettle(min(seconds, max(BOUND, SILENT_FOR)))
        process = gateway.process
        if seconds > BOUND:
            self._world.later(BOUND, self.server.throw_out, process)
        if seconds > SILENT_FOR:
            self._world.later(SILENT_FOR, self._lose_session, gateway)
        for answer in gateway.callers:
            self._world.later(PATIENCE, break_off, answer)
