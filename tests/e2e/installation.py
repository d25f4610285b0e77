"""A whole slipgate: gateway, launchers and agents as processes, the world around as stand-ins."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from gateway.cli.local.environments import gateway_environ
from gateway.cli.local.processes import (
    Child,
    wait_until_ready,
    without_slipgate,
)
from gateway.cli.local.state import State
from gateway.cli.operations.minting import mint
from gateway.demo.script import Script, choose
from gateway.store.administration import audit
from gateway.store.location import Location
from gateway.store.sql.admin.audit import Audit
from gateway.wire.signing import secret_bytes
from tests.e2e import processes
from tests.e2e.arrivals import Span
from tests.e2e.database import DatabaseChecks
from tests.e2e.frontend import Frontend
from tests.e2e.processes import Agent
from tests.e2e.proxy import Proxy
from tests.e2e.wait import until
from tests.e2e.world import World, world
from tests.forks.children import gateway_child, launcher_child
from tests.forks.programs import program
from tests.ports import reserved_port
from tests.snapshot.sandbox import search_path
from tests.stores import FileDatabase, NewDatabase

LEASE_SECONDS = "2"
FOREIGN = ("OPENAI", "ANTHROPIC", "GEMINI", "OPENROUTER", "GITHUB")
WATCH_SECONDS = 0.25
READY_SECONDS = 60.0
KILLED = (-signal.SIGKILL, -signal.SIGQUIT)
"""Exit codes of a fork that was killed; the second before it was made."""
LOCAL: Mapping[str, str] = MappingProxyType(
    {"SLIPGATE_PROVIDERS": "local", "SLIPGATE_LOCAL_UNCONFINED": "true"}
)


@dataclass(kw_only=True)
class Installation:
    """Handles for everything a test may look at or break."""

    folder: Path
    url: str
    database: Location
    gateway: Child
    launchers: list[Child]
    frontend: Frontend
    world: World
    proxy: Proxy
    """The way of launchers and agents to the gateway."""
    outages: list[Span] = field(default_factory=list)
    crowds: list[list[Agent]] = field(default_factory=list)
    """Agents of one task that lived at the same time."""

    @property
    def launcher(self) -> Child:
        """The first of them, in most tests the only one."""
        return self.launchers[0]

    @property
    def checks(self) -> DatabaseChecks:
        """Checks of the gateway's database."""
        return DatabaseChecks(self.database)

    def begin(self) -> None:
        """Forgets the test before; starts what it has killed. Raises `CommandFailed` for a launcher
        that has ended by itself."""
        self.let_go()
        self.outages = []
        self.world.arrivals.of.clear()
        processes.forget_forks(self.folder)
        for launcher in self.launchers:
            if launcher.exit_code in KILLED:
                launcher.start()
            launcher.check()

    def is_clean(self) -> bool:
        """True if the gateway runs and nothing of an earlier task is left."""
        return self.gateway.exit_code is None and not self.left_over() and not self.sandboxes()

    def let_go(self) -> None:
        """Releases every caller that is held."""
        self.world.open()
        self.proxy.release()

    def left_over(self) -> dict[int, str]:
        """Processes in our folder that are neither the gateway nor a launcher."""
        ours = {child.pid for child in (self.gateway, *self.launchers)}
        found = processes.of_folder(self.folder)
        return {pid: command for pid, command in found.items() if pid not in ours}

    def sandboxes(self) -> list[Path]:
        """Directories of local sandboxes, those on their way out included."""
        return [path for path in self.folder.glob("state/launcher/ins_*/*") if path.is_dir()]

    def agents(self) -> set[Agent]:
        """Agents that are alive."""
        return processes.agents(self.folder)

    @property
    def seen_agents(self) -> set[Agent]:
        """All that were started in this test, as forks."""
        return processes.forks(self.folder)

    def agent(self) -> Agent:
        """The one that lives."""
        (one,) = self.agents()
        return one

    def audited(self) -> Audit:
        """The findings of `slipgate verify`."""
        return audit(self.database)

    async def kill_gateway(self, *, away: float = 0.0) -> None:
        """kill -9, and its return after `away` seconds."""
        began = time.monotonic()
        await asyncio.to_thread(self.gateway.kill)
        await asyncio.sleep(away)
        self.gateway.start()
        await asyncio.to_thread(wait_until_ready, self.url, self.gateway, seconds=READY_SECONDS)
        self.outages.append((began, time.monotonic()))

    async def kill_launcher(self, number: int = 0) -> None:
        """kill -9, and the start of another."""
        await asyncio.to_thread(self.launchers[number].kill)
        self.launchers[number].start()

    async def kill(self, program: str) -> None:
        """kill -9 of `gateway` or `launcher`, and its return."""
        await (self.kill_gateway() if program == "gateway" else self.kill_launcher())

    async def kill_agent(self) -> None:
        """kill -9 of the one agent that lives, and the end of the runner beside it."""
        agent = self.agent()
        runner = processes.runner(agent)
        os.kill(agent.pid, signal.SIGKILL)
        await until(lambda: not processes.is_alive(runner), "the runner's end")

    async def abandon(self) -> None:
        """After a failure: ends what runs, and nothing is started any more."""
        for launcher in self.launchers:
            await asyncio.to_thread(launcher.kill)
        await asyncio.to_thread(processes.end_all, self.folder)

    async def until_no_agent(self) -> None:
        """Until no agent lives."""
        await until(lambda: not self.agents(), "the agent to end")

    async def watch_agents(self) -> None:
        """Sees agents of one task that live at the same time."""
        while True:
            living = self.agents()
            for agent in living:
                crowd = [other for other in living if other.task == agent.task]
                if len(crowd) > 1:
                    self.crowds.append(crowd)
            await asyncio.sleep(WATCH_SECONDS)


@asynccontextmanager
async def installation(
    folder: Path,
    *,
    database: NewDatabase | None = None,
    choose: Callable[[Sequence[str]], Script] = choose,
    launchers: int = 1,
    capacity: int = 4,
    providers: Mapping[str, str] = LOCAL,
    is_public: bool = True,
    from_entrypoint: bool = False,
) -> AsyncIterator[Installation]:
    """Runs it all; leaves no process behind, and fails if there is one. `providers` are the
    launcher's settings of them; not `is_public`: no sandbox can call the gateway. Without a
    database it makes a file. Local agents are forks unless they start `from_entrypoint`."""
    try:
        async with AsyncExitStack() as stack:
            it = await _opened(
                folder,
                stack,
                choose,
                database=database or FileDatabase(State(folder / "state").folder / "slipgate.db"),
                launchers=launchers,
                capacity=capacity,
                providers=providers,
                is_public=is_public,
                agent=() if from_entrypoint else (_forking_agent(folder),),
            )
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(it.watch_agents())
                yield it
                watching.cancel()
        await until(lambda: not processes.of_folder(folder), "every process to end")
    finally:
        processes.end_all(folder)


async def _opened(
    folder: Path,
    stack: AsyncExitStack,
    choose: Callable[[Sequence[str]], Script],
    *,
    database: NewDatabase,
    launchers: int,
    capacity: int,
    providers: Mapping[str, str],
    is_public: bool,
    agent: tuple[str, ...],
) -> Installation:
    state = State(folder / "state")
    port = stack.enter_context(reserved_port())
    url = f"http://127.0.0.1:{port}"
    proxy = await stack.enter_async_context(Proxy(port).serving())
    environ = _gateway_environ(state, database, proxy.url, port)
    if not is_public:
        del environ["SLIPGATE_PUBLIC_URL"]
    tasks_key = mint(environ, "tasks", "default", "test")
    secret = secret_bytes(tasks_key.callback_secret or "")
    around = await stack.enter_async_context(world(folder, choose=choose, secret=secret))
    launcher_environ = {
        **_launcher_environ(state, proxy.url, capacity),
        **around.sandbox_environ,
        **providers,
        "SLIPGATE_API_KEY": mint(environ, "launcher", "default", "test").key,
    }
    headers = {"authorization": f"Bearer {tasks_key.key}"}
    http = await stack.enter_async_context(
        httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False)
    )
    children = stack.enter_context(ExitStack())
    gateway = children.enter_context(gateway_child(environ, folder / "gateway.log"))
    await asyncio.to_thread(wait_until_ready, url, gateway, seconds=READY_SECONDS)
    it = Installation(
        folder=folder,
        url=url,
        database=database.location,
        gateway=gateway,
        launchers=[
            children.enter_context(
                launcher_child(launcher_environ, folder / f"launcher-{number}.log", *agent)
            )
            for number in range(launchers)
        ],
        frontend=Frontend(http, around.callback_url, around.sample.url),
        world=around,
        proxy=proxy,
    )
    stack.callback(it.let_go)
    return it


def _forking_agent(folder: Path) -> str:
    """A program in the place of execution.sh, quick to start."""
    notes = folder / processes.FORKS
    notes.mkdir()
    return str(program(folder / "agent", "tests.e2e.agent:main", str(notes)))


def _gateway_environ(
    state: State, database: NewDatabase, public_url: str, port: int
) -> dict[str, str]:
    return {
        **gateway_environ(os.environ, state, port, public_url=public_url),
        "SLIPGATE_DATABASE_URL": database.url,
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
        "SLIPGATE_ALLOW_FILE_REPOS": "true",
        "SLIPGATE_LEASE_SECONDS": LEASE_SECONDS,
        "SLIPGATE_LOG": "json",
    }


def _launcher_environ(state: State, url: str, capacity: int) -> dict[str, str]:
    """With nothing of ours that a provider or a model could take for its own."""
    plain = without_slipgate().items()
    return {
        **{name: text for name, text in plain if not name.startswith(FOREIGN)},
        "SLIPGATE_URL": url,
        "SLIPGATE_LAUNCHER_STATE": str(state.folder / "launcher"),
        "SLIPGATE_CAPACITY": str(capacity),
        "SLIPGATE_LOG": "json",
        "PATH": search_path(),
    }
