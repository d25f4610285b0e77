"""Programs die at random while several tasks are under way; then nothing fails any more."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from launcher.providers.local.processes import Supervisor, members
from launcher.providers.local.supervisor import birth
from tests.e2e import points
from tests.e2e.frontend import Followed, Json
from tests.e2e.installation import Installation
from tests.e2e.processes import Agent

AT_ONCE = 4
CALM_SECONDS = (0.1, 1.2)
"""Between two kills."""
AWAY_SECONDS = 1.0
"""The longest outage of a gateway, without its start (seconds)."""
SILENCE = {"heartbeatSeconds": 2}
MOST_ATTEMPTS = 3
CANCELLED_SHARE = 0.15
END_SECONDS = 240.0
"""Until the last task must be over once nothing fails any more."""
GAVE_UP = {"agent_exited", "sandbox_stopped"}


@dataclass(kw_only=True)
class SandboxSpec:
    """A task, and what was done to it."""

    task: Followed
    max_attempts: int
    is_cancelled: bool = False
    shown: Json = field(default_factory=dict)
    """As it stood when it was over."""


class Storm:
    """Seeded; the machine's own timing is not, so a seed repeats what is done and not when."""

    def __init__(self, it: Installation, *, seed: int, log: Callable[[str], None]) -> None:
        self._it = it
        self._random = random.Random(seed)
        self._log = log
        self._is_over = False
        self.orders: list[SandboxSpec] = []
        self.kills: Counter[str] = Counter()
        self.wounds: Counter[str] = Counter()
        """Kills of agents, by the end of the task's id."""

    async def rage(self, seconds: float) -> None:
        """Returns when every task is over; raises `TimeoutError` if one does not end."""
        async with asyncio.timeout(seconds + END_SECONDS), asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._customer())
            try:
                await self._strike(time.monotonic() + seconds)
            finally:
                self._is_over = True

    def unlike_a_task(self) -> list[str]:
        """Tasks that ended wrongly: one whose agent was never killed must succeed at once."""
        return [
            f"{order.task.id}: {order.shown['status']} in attempt {order.shown['attempt']}"
            for order in self.orders
            if not self._is_plausible(order)
        ]

    async def _customer(self) -> None:
        while not self._is_over:
            max_attempts = self._random.randint(1, MOST_ATTEMPTS)
            task = await self._it.frontend.create(
                agent=points.BY_COMMAND, maxAttempts=max_attempts, timeouts=SILENCE
            )
            order = SandboxSpec(task=task, max_attempts=max_attempts)
            self.orders.append(order)
            if self._random.random() < CANCELLED_SHARE:
                await self._cancel(order)
            order.shown = await task.until_over(seconds=END_SECONDS)

    async def _cancel(self, order: SandboxSpec) -> None:
        """Once the agent has spoken: of a sandbox that was tried and never seen it takes minutes
        to prove that it is not there."""
        ends = ("task.failed", "task.completed", "task.needs_review")
        await order.task.until_type("task.started", *ends, seconds=END_SECONDS)
        order.is_cancelled = await order.task.cancel()

    async def _strike(self, until: float) -> None:
        strikes = (self._gateway, self._launcher, self._launcher, self._agent, self._sandbox)
        while time.monotonic() < until:
            await asyncio.sleep(self._random.uniform(*CALM_SECONDS))
            await self._random.choice(strikes)()

    async def _gateway(self) -> None:
        self._note("gateway", "")
        await self._it.kill_gateway(away=self._random.uniform(0, AWAY_SECONDS))

    async def _launcher(self) -> None:
        number = self._random.randrange(len(self._it.launchers))
        self._note("launcher", str(number))
        await self._it.kill_launcher(number)

    async def _agent(self) -> None:
        """The agent's process alone: its supervisor writes down how it ended."""
        if agent := self._victim():
            self._wound("agent", agent, {agent.pid})

    async def _sandbox(self) -> None:
        """Everything in the sandbox at once, so that nobody is left to say anything."""
        agent = self._victim()
        if agent and agent.supervisor and agent.sandbox in self._it.checks.started_sandboxes():
            supervisor = Supervisor(pid=agent.supervisor, birth=birth(agent.supervisor))
            self._wound("sandbox", agent, members(supervisor))

    def _victim(self) -> Agent | None:
        living = sorted(self._it.agents(), key=lambda agent: agent.sandbox)
        return self._random.choice(living) if living else None

    def _wound(self, what: str, agent: Agent, pids: set[int]) -> None:
        self._note(what, agent.sandbox)
        self.wounds[agent.task] += 1
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _note(self, what: str, which: str) -> None:
        self.kills[what] += 1
        self._log(f"kill -9 {what} {which}".rstrip())

    def _is_plausible(self, order: SandboxSpec) -> bool:
        status, attempt = order.shown["status"], order.shown["attempt"]
        wounds = self.wounds[order.task.id[-20:]]
        pulls = len(self._it.world.pulls(order.shown["branchName"]))
        if attempt > min(1 + wounds, order.max_attempts) or pulls > 1:
            return False
        if status == "completed":
            return pulls == 1
        if status == "cancelled":
            return order.is_cancelled
        if status == "needs_review":
            return wounds > 0 and pulls == 1
        is_given_up = status == "failed" and attempt == order.max_attempts and wounds > 0
        return is_given_up and order.shown["error"]["code"] in GAVE_UP
