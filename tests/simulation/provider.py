"""Providers: realms in which sandboxes live, die, come late, and are overlooked.

What is kept here is the truth that the gateway can only ask for. It keeps the one promise that the
protocol builds on: a create call that began lands within 120 s and the margin, or never.
"""

import asyncio
import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.wire.launcher import Process as ProcessReport
from gateway.wire.launcher import ReportedState, Spooled
from launcher.providers.protocol import Key, ProviderError, SandboxSpec, SandboxStatus, SpoolPiece
from tests.simulation.choices import Stream
from tests.simulation.scheduler import Process
from tests.simulation.world import World

LANDS: Final = (1.0, 4.0, 30.0, 110.0)
LANDS_LATE: Final = (119.0, 125.0, 132.0)
STARTS: Final = (0.0, 0.5, 20.0, 90.0, 2_000.0)
LOOKS: Final = (0.05, 0.3)
SLOW: Final = (2.0, 15.0, 70.0, 200.0)
DIES: Final = (5.0, 60.0, 400.0)
FOR_EVER: Final = 10_000_000.0
NOES: Final = (
    ("provider_unavailable", True),
    ("provider_quota", True),
    ("snapshot_not_found", False),
    ("provider_auth", False),
)


@dataclass(kw_only=True)
class Line:
    """A word on the sandbox's disk."""

    id: str
    kind: str
    body: bytes


@dataclass(kw_only=True)
class Sandbox:
    """A sandbox as it is; its agent is started by whoever lives in it."""

    name: str
    id: str
    labels: dict[str, str]
    snapshot: str | None
    created_at: int
    state: ReportedState = "creating"
    exit_code: int | None = None
    is_running: bool = False
    spool: list[Line] = field(default_factory=list)
    acknowledged: int = 0
    beats: int = 0
    has_flapped: bool = False
    is_late: bool = False
    """Another call made the one before it, which was destroyed, or a clock that was set made its
    absence look proven: a sweep will find it."""
    agent: Process | None = None
    plan: list[tuple[str, dict[str, Any]]] | None = None
    """The events that its agent will send, the same at each start."""

    @property
    def task_id(self) -> str:
        """The task of the sandbox."""
        return self.labels["slipgate-task"]

    @property
    def attempt(self) -> int:
        """Of which attempt."""
        return int(self.labels["slipgate-attempt"])


class Realm:
    """The sandboxes of one realm."""

    def __init__(self, world: World, realm: str, move_in: Callable[[Sandbox], None]) -> None:
        self.realm = realm
        self.sandboxes: dict[str, Sandbox] = {}
        self.landing = 0
        """Create calls that are under way."""
        self._world = world
        self._move_in = move_in
        self._made = 0
        self._names: set[str] = set()
        self._destroyed: set[str] = set()

    def place(self, order: SandboxSpec, choices: Stream) -> None:
        """The sandbox comes to be, unless it is there already: a name is unique."""
        self.landing -= 1
        if order.key.name in self.sandboxes:
            return
        world, faults = self._world, self._world.faults
        self._made += 1
        is_wrong = choices.happens(faults.wrong_snapshot)
        sandbox = Sandbox(
            name=order.key.name,
            id=f"{self.realm}-{self._made}",
            labels=dict(order.labels),
            snapshot="another" if is_wrong else order.snapshot,
            created_at=world.wall(),
        )
        attempt = world.tables.attempts[sandbox.task_id].get(sandbox.attempt)
        may_be_late = sandbox.name in self._names or world.has_jumped
        self._names.add(sandbox.name)
        is_over = sandbox.name in self._destroyed or (attempt is not None and attempt.is_gone)
        sandbox.is_late = may_be_late and is_over
        self.sandboxes[sandbox.name] = sandbox
        world.trace.note(self.realm, f"{sandbox.name} is there")
        if sandbox.is_late:
            world.look()
        starts = choices.pick(STARTS) if choices.happens(faults.provider_slow) else 0.0
        world.scheduler.call_later(starts, self._start, sandbox)
        if choices.happens(faults.sandbox_dies):
            end = choices.pick(("stopped", "error", "gone"))
            world.scheduler.call_later(starts + choices.pick(DIES), self._die, sandbox, end)

    def left(self) -> Iterator[str]:
        """Sandboxes that nobody has destroyed."""
        yield from self.sandboxes

    @property
    def has_orphans(self) -> bool:
        """True if a sandbox exists that came late or survived its attempt."""
        return any(sandbox.is_late for sandbox in self.sandboxes.values())

    def end(self, sandbox: Sandbox) -> None:
        """Nothing runs in it any more."""
        if sandbox.agent is not None:
            sandbox.agent.kill()
        if sandbox.is_running:
            sandbox.is_running, sandbox.exit_code = False, -9

    def destroy(self, name: str) -> None:
        """It is not there any more, and nobody wants another one."""
        self._destroyed.add(name)
        self.remove(name)

    def remove(self, name: str) -> None:
        """It is not there any more."""
        sandbox = self.sandboxes.pop(name, None)
        if sandbox is not None:
            self.end(sandbox)
            sandbox.state = "destroyed"
            self._world.trace.note(self.realm, f"{name} is gone")

    def _start(self, sandbox: Sandbox) -> None:
        if sandbox.state == "creating":
            sandbox.state = "started"
            self._move_in(sandbox)

    def _die(self, sandbox: Sandbox, end: str) -> None:
        if self.sandboxes.get(sandbox.name) is not sandbox:
            return
        self._world.trace.note(self.realm, f"{sandbox.name} dies: {end}")
        if end == "gone":
            self.remove(sandbox.name)
            return
        self.end(sandbox)
        sandbox.state = "stopped" if end == "stopped" else "error"


class Door:
    """A realm as one launcher process calls it: the provider of the launcher's protocol."""

    name = "local"

    def __init__(
        self, world: World, realm: Realm, caller: Process, choices: Stream, step: Callable[[], None]
    ) -> None:
        self._world = world
        self._realm = realm
        self._caller = caller
        self._choices = choices
        self._step = step
        """A launcher may die at each step it takes."""
        self._stopped: set[str] = set()
        """Sandboxes on their way out: a destroy reads the spool before it deletes it."""

    @property
    def realm(self) -> str:
        """Its name."""
        return self._realm.realm

    async def create(self, order: SandboxSpec) -> SandboxStatus:
        """Makes it, or adopts what is there under the name."""
        choices, faults = self._choices, self._world.faults
        self._check_window(order)
        self._call()
        self._refuse()
        is_late = choices.happens(faults.late_create)
        lands = choices.pick(LANDS_LATE) if is_late else self._duration(LANDS)
        self._realm.landing += 1
        self._world.scheduler.call_later(lands, self._realm.place, order, choices)
        await asyncio.sleep(FOR_EVER if is_late else lands + 0.001)
        self._refuse()
        found = self._found(order.key)
        if found is None:
            raise ProviderError("provider_unavailable", "it went at once", retryable=True)
        return found

    async def find(self, key: Key) -> SandboxStatus | None:
        """Looks it up by name."""
        await self._reach()
        await asyncio.sleep(self._duration(LOOKS))
        sandbox = self._realm.sandboxes.get(key.name)
        if sandbox is not None:
            flapping = self._world.faults.flapping
            if not sandbox.has_flapped and self._choices.happens(flapping):
                sandbox.has_flapped = True
                self._world.trace.note(self.realm, f"{key.name} is overlooked")
                return None
        return self._found(key)

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        """All there are."""
        await self._reach()
        found = [self._found(Key(instance=instance, name=name)) for name in self._realm.sandboxes]
        return [each for each in found if each is not None]

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """The next lines; an offset counts lines here."""
        await self._reach()
        sandbox = self._realm.sandboxes.get(key.name)
        if sandbox is None:
            return SpoolPiece(lines=(), offset=offset, has_more=False, skipped=0)
        start = max(offset, sandbox.acknowledged)
        most = self._choices.pick((1000, 1000, 1, 2))
        lines = sandbox.spool[start : start + most]
        end = start + len(lines)
        return SpoolPiece(
            lines=tuple(map(_spooled, lines)),
            offset=end,
            has_more=end < len(sandbox.spool),
            skipped=0,
        )

    async def read_log(self, key: Key) -> str:
        """Agents here print nothing."""
        await self._reach()
        return ""

    async def stop(self, key: Key) -> None:
        """Ends what runs in it."""
        await self._reach()
        self._refuse()
        sandbox = self._realm.sandboxes.get(key.name)
        if sandbox is not None:
            self._stopped.add(sandbox.id)
            self._realm.end(sandbox)

    async def remove(self, key: Key) -> None:
        """Deletes it."""
        await self._reach()
        self._refuse()
        await asyncio.sleep(self._duration(LOOKS))
        sandbox = self._realm.sandboxes.get(key.name)
        if sandbox is not None and sandbox.id in self._stopped:
            words = [line.id for line in sandbox.spool[sandbox.acknowledged :]]
            self._world.invariants.drained(sandbox.task_id, sandbox.attempt, words)
            self._realm.destroy(key.name)
        self._realm.remove(key.name)
        self._refuse()

    async def _reach(self) -> None:
        self._call()
        if self._choices.happens(self._world.faults.provider_hangs):
            await asyncio.sleep(self._choices.pick(SLOW))

    def _call(self) -> None:
        self._step()
        if not self._caller.is_alive:
            raise asyncio.CancelledError

    def _check_window(self, order: SandboxSpec) -> None:
        task_id, attempt = order.labels["slipgate-task"], order.labels["slipgate-attempt"]
        if not self._world.has_jumped:
            self._world.invariants.creates(task_id, int(attempt), self._world.wall())

    def _duration(self, usual: tuple[float, ...]) -> float:
        if self._choices.happens(self._world.faults.provider_slow):
            return self._choices.pick(usual)
        return usual[0]

    def _refuse(self) -> None:
        if self._choices.happens(self._world.faults.provider_refuses):
            code, retryable = self._choices.pick(NOES)
            raise ProviderError(code, "the provider says no", retryable=retryable)

    def _found(self, key: Key) -> SandboxStatus | None:
        sandbox = self._realm.sandboxes.get(key.name)
        if sandbox is None:
            return None
        return SandboxStatus(
            id=sandbox.id,
            key=key,
            snapshot=sandbox.snapshot,
            labels=sandbox.labels,
            state=sandbox.state,
            process=_process(sandbox),
            created_at=sandbox.created_at,
        )


def _process(sandbox: Sandbox) -> ProcessReport:
    if sandbox.state == "creating":
        return ProcessReport(state="unknown")
    if sandbox.is_running:
        return ProcessReport(state="running")
    return ProcessReport(state="exited", exit_code=sandbox.exit_code)


def _spooled(line: Line) -> Spooled:
    body = base64.b64encode(line.body).decode()
    return Spooled(id=line.id, timestamp=0, signature="v1,", body=body)
