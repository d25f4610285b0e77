"""Frontends: they create, cancel and retry, and repeat themselves until they are answered."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import TaskReply
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.read_set import Command, Idempotency
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.spec import Spec, TimeoutSpec
from gateway.domain.tasks.task import OnStall
from tests.simulation.choices import Stream
from tests.simulation.network import Lost, Network
from tests.simulation.scheduler import Process
from tests.simulation.world import BEGINNING, World

SECRET: Final = "sk-never-to-be-seen"
PROJECTS: Final = ("default", "acme")
"""They share the launchers; only the first has callbacks."""
CALLBACK: Final = "ep_6"
"""The endpoint of callbacks, in the last partition: whenever a gateway comes, it moves."""
PATIENCE: Final = 40
"""Requests that a frontend repeats at most."""
ARRIVES: Final = (0.1, 3.0, 40.0, 300.0)
CANCELS: Final = (1.0, 20.0, 70.0, 200.0)


class Frontend:
    """One task's frontend; it does not die, but it may give up before it was answered."""

    def __init__(self, world: World, network: Network, number: int) -> None:
        self._world = world
        self._network = network
        self._number = number
        self._project = PROJECTS[number % len(PROJECTS)]
        self._choices = world.choices.stream(f"frontend {number}")
        self._asked = 0
        self.is_done = False
        self.process = Process(world.scheduler, f"frontend {number}")
        self.process.spawn(self._live())

    async def _live(self) -> None:
        choices = self._choices
        await asyncio.sleep(choices.pick(ARRIVES))
        spec, callback = _spec(choices, self._world.wall(), self._project)
        reply = await self._ask(lambda: self._create(spec, callback))
        if reply is not None:
            self._world.invariants.accepted(reply.task.id)
            await self._meddle(reply.task.id)
        self.is_done = True

    async def _meddle(self, task_id: str) -> None:
        choices = self._choices
        for _ in range(choices.below(4)):
            await asyncio.sleep(choices.pick(CANCELS))
            task = self._world.tables.tasks[task_id]
            if not task.status.is_terminal and choices.below(2):
                await self._ask(self._command(c.CancelTask, task_id))
            elif task.status.is_terminal:
                await self._ask(self._command(c.RetryTask, task_id))

    def _create(self, spec: Spec, callback: c.Callback | None) -> Command:
        # As the handler does: a new id for each request; the key decides which one lives.
        self._asked += 1
        task_id = typeid("task", BEGINNING + self._number, self._asked)
        env = Sealed(key_id="k1", box=SECRET.encode())
        key = self._key("POST /v1/tasks")
        return c.CreateTask(task_id=task_id, spec=spec, env=env, callback=callback, idempotency=key)

    def _command(self, kind: type[c.CancelTask], task_id: str) -> Callable[[], Command]:
        self._asked += 1
        key = self._key(f"POST /v1/tasks/{task_id}/{kind.__name__} {self._asked}")
        command = kind(task_id=task_id, project=self._project, idempotency=key)
        return lambda: command

    def _key(self, operation: str) -> Idempotency:
        return Idempotency(
            key=(self._project, operation, f"key {self._number}"),
            digests={"k1": operation.encode()},
            current="k1",
        )

    async def _ask(self, command: Callable[[], Command]) -> TaskReply | None:
        """The same request until it is answered; None: refused, or it gave up."""
        for _ in range(PATIENCE):
            try:
                return await self._call(command())
            except (Lost, Unavailable):
                await self._network.pause(self.process, 5.0)
            except ApiError as refusal:
                self._world.trace.note(self.process.name, f"refused: {refusal.code}")
                return None
        return None

    async def _call(self, command: Command) -> TaskReply:
        return await self._network.call(
            self.process,
            self._choices,
            lambda gateway: gateway.submit(command, TaskReply),
            seconds=10.0,
        )


def _spec(choices: Stream, now: int, project: str) -> tuple[Spec, c.Callback | None]:
    callback = None
    if project == PROJECTS[0] and choices.below(2):
        url = Sealed(key_id="k1", box=SECRET.encode())
        callback = c.Callback(endpoint_id=CALLBACK, origin="https://app.example", url=url)
    stalls: tuple[OnStall, ...] = ("flag", "fail", "retry")
    timeouts = TimeoutSpec(
        queue_seconds=choices.pick((900, 60)),
        heartbeat_seconds=choices.pick((300, 60)),
        run_seconds=choices.pick((3600, 300)),
    )
    spec = Spec(
        project=project,
        repo_url="https://github.com/acme/widgets",
        prompt="x",
        title="x",
        branch_name="b",
        snapshot="agent-1",
        timeouts=timeouts,
        max_attempts=choices.pick((1, 2, 3)),
        on_stall=choices.pick(stalls),
        priority=choices.pick((5, 9)),
        not_before=now + 50_000 if choices.below(8) == 7 else None,
        concurrency_key="acme/widgets" if choices.below(3) == 2 else None,
        keep_sandbox=choices.below(10) == 9,
        endpoint_id=callback.endpoint_id if callback else None,
    )
    return spec, callback
