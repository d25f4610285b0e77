"""A whole slipgate: gateway and launcher as processes, the world around them as stand-ins."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gateway.cli.keys import mint
from gateway.cli.processes import (
    GATEWAY,
    LAUNCHER,
    Child,
    wait_until_ready,
    without_slipgate,
)
from gateway.cli.state import State
from gateway.cli.up import gateway_environ
from gateway.demo.git import branch_tip
from gateway.demo.github import GitHub, Pull
from gateway.demo.model import ScriptedModel
from gateway.demo.receiver import Receiver
from gateway.demo.sample import SLUG, Sample, make_sample
from gateway.demo.script import Script, choose
from gateway.demo.serve import serving
from gateway.store.audit import Audit, audit
from gateway.wire.signing import secret_bytes
from tests.e2e import processes
from tests.e2e.frontend import LOOK_SECONDS, Followed, Frontend, owed, task_of
from tests.e2e.gate import Gate, GatedPost
from tests.ports import reserved_port

Agent = tuple[int, str | None]
LEASE_SECONDS = "2"
HANDED = "OPENAI_API_KEY,OPENAI_BASE_URL,GITHUB_TOKEN,GITHUB_API_URL"
FOREIGN = ("OPENAI", "ANTHROPIC", "OPENROUTER", "GITHUB")


async def until(is_true: Callable[[], bool], what: str, *, seconds: float = 20.0) -> None:
    """Until the condition holds; raises `TimeoutError`."""
    give_up = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {seconds} s for {what}")
        await asyncio.sleep(LOOK_SECONDS)


@dataclass(kw_only=True)
class House:
    """Handles for everything a test may look at or break."""

    folder: Path
    url: str
    database: Path
    sample: Sample
    gateway: Child
    launcher: Child
    frontend: Frontend
    receiver: Receiver
    github: GitHub
    at_model: Gate
    at_pull_request: Gate
    restarts: int = 0
    duplicates_before: int = 0
    seen_agents: set[Agent] = field(default_factory=set)
    crowds: list[set[Agent]] = field(default_factory=list)
    """Agents of one task that lived at the same time."""

    def pulls(self, branch: str) -> list[Pull]:
        """The pull requests of a branch."""
        return [pull for pull in self.github.pulls(SLUG) if pull.head.ref == branch]

    @property
    def duplicates(self) -> int:
        """Callbacks of this test that came again."""
        return self.receiver.duplicates - self.duplicates_before

    def begin(self) -> None:
        """Forgets the test before; starts what it left dead."""
        self.at_model.open()
        self.at_pull_request.open()
        self.restarts = 0
        self.duplicates_before = self.receiver.duplicates
        self.seen_agents = set()
        if self.launcher.exit_code is not None:
            self.launcher.start()

    def is_clean(self) -> bool:
        """Whether the gateway runs, and nothing of an earlier task is left."""
        return self.gateway.exit_code is None and not self.left_over() and not self.sandboxes()

    def left_over(self) -> dict[int, str]:
        """Processes in our folder that are neither the gateway nor the launcher."""
        return {
            pid: command
            for pid, command in processes.of_folder(self.folder).items()
            if not any(" ".join(module) in command for module in (GATEWAY, LAUNCHER))
        }

    def pushed(self, branch: str) -> str | None:
        """The tip of a branch of the project."""
        return branch_tip(self.sample.bare, branch)

    async def kill_gateway(self) -> None:
        """kill -9, and its return."""
        await asyncio.to_thread(self.gateway.kill)
        self.restarts += 1
        self.gateway.start()
        await asyncio.to_thread(wait_until_ready, self.url, self.gateway)

    async def kill_launcher(self) -> None:
        """kill -9, and the start of another."""
        await asyncio.to_thread(self.launcher.kill)
        self.launcher.start()

    async def kill_agent(self) -> None:
        """kill -9 of the one agent that lives."""
        os.kill(self.agent(), signal.SIGKILL)

    def agent(self) -> int:
        """The process of the one agent that lives."""
        (pid,) = processes.agents(self.folder)
        return pid

    async def until_no_agent(self) -> None:
        """Until no agent lives."""
        await until(lambda: not processes.agents(self.folder), "the agent to end")

    def audited(self) -> Audit:
        """What `slipgate verify` finds."""
        return audit(self.database)

    def sandboxes(self) -> list[Path]:
        """Directories of sandboxes, those on their way out included."""
        return [path for path in self.folder.glob("state/launcher/*/*") if path.is_dir()]

    async def watch_agents(self) -> None:
        """Sees every agent that lives; our tests run one task at a time."""
        while True:
            living = set(processes.agents(self.folder).items())
            if len(living) > 1:
                self.crowds.append(living)
            self.seen_agents |= living
            await asyncio.sleep(LOOK_SECONDS)

    async def settle(self, task: Followed) -> None:
        """Holds what must be true of every task once it has ended, whatever was killed."""
        await until(lambda: not self.audited().pending, "all callbacks to be delivered")
        await until(lambda: not self.sandboxes(), "the sandboxes' directories to go")
        await until(lambda: not self.left_over(), "the agent's processes to end")
        assert self.audited().problems == ()
        assert self.crowds == []
        await self._check_events(task)
        await self._check_callbacks(task)

    async def _check_events(self, task: Followed) -> None:
        events = await task.reread()
        seen = [event["id"] for event in task.events]
        assert [event["id"] for event in events][: len(seen)] == seen
        assert [event["taskSeq"] for event in events] == list(range(1, len(events) + 1))
        task.events = events

    async def _check_callbacks(self, task: Followed) -> None:
        heard = [one.id for one in self.receiver.received if task_of(one) == task.id]
        assert heard == owed(task.events)
        assert self.receiver.refused == 0
        # Only an answer that a killed gateway could not hear brings a webhook twice.
        assert self.duplicates <= self.restarts


@asynccontextmanager
async def house(
    folder: Path, *, choose: Callable[[Sequence[str]], Script] = choose
) -> AsyncIterator[House]:
    """Runs it all; leaves no process behind, and fails if there is one."""
    state = State(folder / "state")
    sample = make_sample(folder / "repositories")
    token, model_key = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    at_model, at_pull_request = Gate(), Gate()
    github = GitHub(token=token, repositories={SLUG: sample.bare})
    model = ScriptedModel(key=model_key, choose=choose, pause=at_model, now=time.time)
    try:
        async with AsyncExitStack() as stack:
            port = stack.enter_context(reserved_port())
            url = f"http://127.0.0.1:{port}"
            environ = _gateway_environ(state, url, port)
            tasks_key = mint(environ, "tasks", "default", "test")
            secret = secret_bytes(tasks_key.callback_secret or "")
            receiver = Receiver(secret=lambda: secret, now=time.time)
            github_url = await stack.enter_async_context(
                serving(GatedPost(github.app, at_pull_request))
            )
            model_url = await stack.enter_async_context(serving(model.app))
            receiver_url = await stack.enter_async_context(serving(receiver.app))
            launcher_environ = {
                **_plain_environ(),
                "OPENAI_API_KEY": model_key,
                "OPENAI_BASE_URL": f"{model_url}/v1",
                "GITHUB_TOKEN": token,
                "GITHUB_API_URL": github_url,
                "SLIPGATE_SANDBOX_ENV": HANDED,
                "SLIPGATE_URL": url,
                "SLIPGATE_API_KEY": mint(environ, "launcher", "default", "test").key,
                "SLIPGATE_PROVIDERS": "local",
                "SLIPGATE_LOCAL_UNCONFINED": "true",
                "SLIPGATE_LAUNCHER_STATE": str(state.folder / "launcher"),
                "SLIPGATE_LOG": "json",
            }
            http = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=url,
                    headers={"authorization": f"Bearer {tasks_key.key}"},
                    timeout=15,
                    trust_env=False,
                )
            )
            children = stack.enter_context(ExitStack())
            gateway = children.enter_context(
                Child("gateway", GATEWAY, environ, folder / "gateway.log")
            )
            launcher = children.enter_context(
                Child("launcher", LAUNCHER, launcher_environ, folder / "launcher.log")
            )
            stack.callback(at_model.open)
            stack.callback(at_pull_request.open)
            await asyncio.to_thread(wait_until_ready, url, gateway)
            it = House(
                folder=folder,
                url=url,
                database=state.folder / "slipgate.db",
                sample=sample,
                gateway=gateway,
                launcher=launcher,
                frontend=Frontend(http, f"{receiver_url}/hook"),
                receiver=receiver,
                github=github,
                at_model=at_model,
                at_pull_request=at_pull_request,
            )
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(it.watch_agents())
                yield it
                watching.cancel()
        await until(lambda: not processes.of_folder(folder), "every process to end")
    finally:
        _end_all(folder)


def _end_all(folder: Path) -> None:
    """After a failure nothing may run on."""
    for pid in processes.of_folder(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _gateway_environ(state: State, url: str, port: int) -> dict[str, str]:
    return {
        **gateway_environ(state, url, port),
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
        "SLIPGATE_ALLOW_FILE_REPOS": "true",
        "SLIPGATE_LEASE_SECONDS": LEASE_SECONDS,
        "SLIPGATE_LOG": "json",
    }


def _plain_environ() -> dict[str, str]:
    return {name: text for name, text in without_slipgate().items() if not name.startswith(FOREIGN)}
