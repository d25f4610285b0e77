"""Operations: somebody pauses and resumes, drains launchers and acts in bulk, amid the faults."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.kernel.read_set import Command, Idempotency
from gateway.domain.launching.launcher_mode import SetLauncherMode
from gateway.domain.operations.bulk import BulkAction, BulkVerb, StartBulk
from gateway.domain.operations.switch_changes import SetSwitches
from gateway.domain.operations.switches import SWITCHES, Switch
from gateway.domain.tasks.task import TERMINAL, Task
from tests.simulation.frontend import PROJECTS
from tests.simulation.network import Lost, Network
from tests.simulation.provider import Door
from tests.simulation.scheduler import Process
from tests.simulation.world import World

PATIENCE: Final = 40
"""Requests that are repeated at most."""
BETWEEN: Final = (1.0, 20.0, 70.0, 200.0)
LASTING: Final = (5.0, 40.0, 400.0)
"""Seconds until what was paused or drained is resumed."""
ENDS: Final = (30_000, 600_000)
"""Milliseconds after which a pause ends by itself, whatever is lost."""
WANTED: Final[dict[BulkVerb, Callable[[Task], bool]]] = {
    "cancel": lambda task: task.status not in TERMINAL,
    "retry": lambda task: task.status in TERMINAL,
    "destroy": lambda task: task.status in TERMINAL,
}


class Operations:
    """Some actions of an operator, one after the other."""

    def __init__(self, world: World, network: Network) -> None:
        self._world = world
        self._network = network
        self._choices = world.choices.stream("operations")
        self._process = Process(world.scheduler, "operations")
        self._process.spawn(self._live())

    async def _live(self) -> None:
        choices = self._choices
        for number in range(choices.below(5)):
            await asyncio.sleep(choices.pick(BETWEEN))
            act = choices.pick((self._pause, self._bulk, self._drain, self._pause_provider))
            await act(number)

    async def _pause(self, _number: int) -> None:
        switch = self._choices.pick(SWITCHES)
        await self._switch(switch, project=self._choices.pick(("", *PROJECTS)))

    async def _pause_provider(self, _number: int) -> None:
        await self._switch("launching", provider=Door.name)

    async def _switch(self, switch: Switch, *, project: str = "", provider: str = "") -> None:
        until = self._world.wall() + self._choices.pick(ENDS)
        for is_paused in (True, False):
            command = SetSwitches(
                paused=(switch,) if is_paused else (),
                resumed=() if is_paused else (switch,),
                project=project,
                provider=provider,
                until=until if is_paused else None,
                reason="maintenance",
                actor="key:ops",
            )
            await self._ask(command)
            await asyncio.sleep(self._choices.pick(LASTING) if is_paused else 0.1)

    async def _drain(self, _number: int) -> None:
        known = sorted(self._world.tables.calls)
        if not known:
            return
        name = self._choices.pick(known)
        await self._ask(SetLauncherMode(launcher_id=name, mode="drained", reason="x"))
        await asyncio.sleep(self._choices.pick(LASTING))
        await self._ask(SetLauncherMode(launcher_id=name, mode="working", reason="x"))

    async def _bulk(self, number: int) -> None:
        """As the handler: what matches now is fixed, and the key decides which request lives."""
        verb = self._choices.pick(tuple(WANTED))
        tasks = self._world.tables.tasks.values()
        now = self._world.wall()
        name = f"bulk_{number}"
        await self._ask(
            StartBulk(
                bulk=BulkAction(
                    id=name,
                    action=verb,
                    project=None,
                    filter="{}",
                    reason="an outage",
                    created_at=now,
                    updated_at=now,
                ),
                task_ids=tuple(sorted(task.id for task in tasks if WANTED[verb](task))),
                idempotency=Idempotency(
                    key=("default", "POST /v1/bulk", name), digests={"k1": b"b"}, current="k1"
                ),
                actor="key:ops",
            )
        )

    async def _ask(self, command: Command) -> None:
        """The same request until it is answered or refused."""
        for _ in range(PATIENCE):
            try:
                await self._network.call(
                    self._process,
                    self._choices,
                    lambda gateway: gateway.submit(command, Answer),
                    seconds=10.0,
                )
            except (Lost, Unavailable):
                await self._network.pause(self._process, 5.0)
            except ApiError as refusal:
                self._world.trace.note(self._process.name, f"refused: {refusal.code}")
                return
            else:
                return
