"""Tasks by GitHub Actions: gateway, launcher and workflow runs as processes, with stand-ins for
GitHub and Daytona."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.cli.operations.minting import mint
from gateway.demo.serve import serving
from tests.app.processes import gateway_process
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.forks.children import launcher_child
from tests.forks.programs import shared
from tests.github_actions.api import FILE, REPOSITORY, TOKEN, GitHub
from tests.github_actions.workflow import Ran, Runner, Workflow

pytestmark = pytest.mark.timeout(600)
LAUNCHER = "tests.github_actions.workflow:run_launcher"
REQUEST = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}


class World:
    """The processes and stand-ins of a test."""

    def __init__(self, http: httpx.AsyncClient, api: Api, github: GitHub, runner: Runner) -> None:
        self.http = http
        self.api = api
        self.github = github
        self.runner = runner
        self.is_held = False
        """Runs wait in GitHub's queue."""
        self.running: list[asyncio.Task[Ran]] = []
        github.on_run = self._on_run

    def fork_launchers(self) -> None:
        """Lets runs from now on start their launcher as a fork; one test starts it anew."""
        installed = self.runner.workspace / ".venv"
        installed.unlink()
        (installed / "bin").mkdir(parents=True)
        (installed / "bin" / "slipgate").symlink_to(shared("job-launcher", LAUNCHER))

    def start(self, job: str) -> asyncio.Task[Ran]:
        """Starts a process for the run."""
        return asyncio.create_task(self.runner.step("Do the job", job))

    async def create(self) -> str:
        """Creates a task and returns its id."""
        response = await self.http.post("/v1/tasks", json=REQUEST)
        return str(response.json()["id"])

    async def until(self, task: str, **wanted: Any) -> dict[str, Any]:
        """The task, once it satisfies the condition."""
        async with asyncio.timeout(60):
            while True:
                shown: dict[str, Any] = (await self.http.get(f"/v1/tasks/{task}")).json()
                if shown | wanted == shown:
                    return shown
                await asyncio.sleep(0.05)

    async def asked(self, number: int) -> str:
        """The job of the n-th dispatched run."""
        async with asyncio.timeout(60):
            while len(self.github.runs) < number:  # noqa: ASYNC110 - another process tells it
                await asyncio.sleep(0.05)
        return self.github.runs[number - 1]

    def _on_run(self, job: str) -> None:
        if not self.is_held:
            self.running.append(self.start(job))


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    organisation = Organisation(asyncio.get_running_loop().time)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    github = GitHub(workflow=Workflow())
    with gateway_process(tmp_path, is_public=True) as (_, url, environ):
        async with (
            opened(Api(organisation=organisation, machine=Machine(tmp_path))) as api,
            serving(github.app) as github_url,
            httpx.AsyncClient(
                base_url=url,
                headers={"authorization": f"Bearer {mint(environ, 'tasks', 'default', 'me').key}"},
                trust_env=False,
                timeout=60,
            ) as http,
        ):
            key = mint(environ, "launcher", "default", "me").key
            asking = {
                "PATH": os.environ["PATH"],
                "SLIPGATE_URL": url,
                "SLIPGATE_API_KEY": key,
                "SLIPGATE_PROVIDERS": "github-actions",
                "SLIPGATE_REALM": "ours",
                "SLIPGATE_GITHUB_ACTIONS_REPO": REPOSITORY,
                "SLIPGATE_GITHUB_ACTIONS_TOKEN": TOKEN,
                "SLIPGATE_GITHUB_ACTIONS_WORKFLOW": FILE,
                "SLIPGATE_GITHUB_ACTIONS_API_URL": github_url,
                "SLIPGATE_LAUNCHER_STATE": str(tmp_path / "asking"),
            }
            runner = Runner(
                workspace=_workspace(tmp_path / "runner"),
                workflow=github.workflow,
                secrets={"SLIPGATE_API_KEY": key, "DAYTONA_API_KEY": "dtn_key"},
                variables={
                    "SLIPGATE_URL": url,
                    "SLIPGATE_REALM": "ours",
                    "DAYTONA_API_URL": api.url,
                },
            )
            world = World(http, api, github, runner)
            with launcher_child(asking, tmp_path / "launcher.log"):
                yield world
            await asyncio.gather(*world.running)


def _workspace(folder: Path) -> Path:
    """The state after the previous steps: slipgate and the CLI are installed."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    install(programs, "0.205.1")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


async def test_a_sandbox_is_made_and_destroyed_by_runs_that_were_asked_for(world: World) -> None:
    task = await world.create()
    shown = await world.until(task, status="running")
    (made,) = world.api.organisation.living()
    assert (shown["sandbox"]["id"], shown["sandbox"]["provider"]) == (made.id, "daytona-cli")
    await world.http.post(f"/v1/tasks/{task}/cancel")
    assert (await world.asked(2)).endswith("-1-destroy")
    shown = await world.until(task, status="cancelled")
    async with asyncio.timeout(60):
        while world.api.organisation.living():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)
    assert [ran.code for ran in await asyncio.gather(*world.running)] == [0, 0]
    assert len(world.github.runs) == 2


async def test_of_two_runs_for_one_job_one_makes_a_sandbox_and_both_end_well(world: World) -> None:
    world.fork_launchers()
    world.is_held = True
    task = await world.create()
    job = await world.asked(1)
    ran = await asyncio.gather(world.start(job), world.start(job))
    assert [each.code for each in ran] == [0, 0], [each.out for each in ran]
    assert sum("is not to be done" in each.out for each in ran) == 1
    await world.until(task, status="running")
    assert len(world.api.organisation.living()) == 1


async def test_a_run_that_comes_after_the_cancel_makes_nothing(world: World) -> None:
    world.fork_launchers()
    world.is_held = True
    task = await world.create()
    job = await world.asked(1)
    await world.http.post(f"/v1/tasks/{task}/cancel")
    ran = await world.start(job)
    assert (ran.code, '"outcome":"cancelled"' in ran.out) == (0, True), ran.out
    await world.until(task, status="cancelled")
    assert world.api.organisation.sandboxes == {}
    again = await world.start(job)
    assert (again.code, "is not to be done" in again.out) == (0, True), again.out
