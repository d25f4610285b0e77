"""Sandboxes of Daytona that can call nobody but GitHub and the model: what their agent writes down
is brought home, from POST to pull request."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo.sample import MODULE
from launcher.providers.local.provider import EXECUTION
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.e2e import points
from tests.e2e.frontend import Json
from tests.e2e.installation import Installation, installation
from tests.e2e.settled import settle
from tests.e2e.shared_installation import SHORT
from tests.forks.programs import attempt
from tests.launcher.conditions import until

pytestmark = pytest.mark.timeout(600)

THERE = "*/state/work-*/tmp/there"
"""Made by an agent that has begun, in the directory of the machines."""


@asynccontextmanager
async def _closed_installation(
    folder: Path, provider: str, program: tuple[str, ...] = EXECUTION
) -> AsyncIterator[tuple[Installation, Api]]:
    """A launcher with one way to Daytona, whose sandboxes run this program."""
    programs = folder / "bin"
    programs.mkdir()
    install(programs, "0.205.1")
    path = os.environ["PATH"]
    organisation = Organisation(time.time)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    app = Path(EXECUTION[-1]).parent
    machine = Machine(folder / "machine", program=program, path=path, app=app)
    async with (
        opened(Api(organisation=organisation, machine=machine)) as api,
        installation(
            folder,
            choose=lambda _: SHORT,
            is_public=False,
            providers={
                "SLIPGATE_PROVIDERS": provider,
                "DAYTONA_API_KEY": "dtn_key",
                "DAYTONA_API_URL": api.url,
                "PATH": f"{programs}:{path}",
            },
        ) as it,
    ):
        yield it, api


async def _ends_with_its_pull_request(
    it: Installation, api: Api, provider: str, agent: Json
) -> None:
    task = await it.frontend.create(**points.QUICK | {"agent": agent})
    shown = await task.until_over(seconds=150)
    await settle(it, task)
    (pull,) = it.world.pulls(shown["branchName"])
    assert (shown["status"], shown["prUrl"]) == ("completed", pull.html_url)
    assert (shown["sandbox"]["provider"], shown["flag"]) == (provider, None)
    assert it.proxy.acknowledged == set()
    (made,) = api.organisation.sandboxes.values()
    assert "SLIPGATE_WEBHOOK_URL" not in made.env
    assert api.organisation.living() == []
    types = [event["type"] for event in task.events]
    assert types.index("task.started") < types.index("task.pr_created")
    assert types.index("task.pr_created") < types.index("task.completed")


async def test_a_task_in_a_closed_network_ends_with_its_pull_request_through_the_cli(
    tmp_path: Path,
) -> None:
    async with _closed_installation(tmp_path, "daytona-cli") as (it, api):
        await _ends_with_its_pull_request(it, api, "daytona-cli", points.BY_COMMAND)


async def test_a_task_in_a_closed_network_ends_with_its_pull_request_or_says_why_not(
    tmp_path: Path,
) -> None:
    async with _closed_installation(tmp_path, "daytona-api", (attempt(),)) as (it, api):
        await _ends_with_its_pull_request(it, api, "daytona-api", points.BY_MODEL)
        task = await it.frontend.create(repoUrl="https://localhost:9/acme/widgets.git")
        shown = await task.until_over(seconds=150)
        await settle(it, task)
        assert (shown["status"], shown["error"]["stage"]) == ("failed", "clone")
        assert api.organisation.living() == []


async def test_the_work_in_a_sandbox_that_somebody_stopped_is_saved(tmp_path: Path) -> None:
    changed = f"sed -i '{points.MENDING}' {MODULE}; touch ../tmp/there; sleep 600"
    agent = {"engine": "command", "command": ["sh", "-c", changed]}
    async with _closed_installation(tmp_path, "daytona-api") as (it, api):
        task = await it.frontend.create(agent=agent)
        began = (tmp_path / "machine").glob
        await until(lambda: any(began(THERE)))
        (made,) = api.organisation.living()
        await api.stop(made.id)
        next(began(THERE)).unlink()
        shown = await task.until_over(seconds=100)
        assert (shown["status"], shown["error"]["code"]) == ("failed", "sandbox_stopped")
        await settle(it, task)
        assert api.organisation.living() == []
        assert not any(began(THERE)), "no agent began again"
        patch = await it.frontend.call("GET", f"/v1/tasks/{task.id}/patch")
        assert "100 - discount_percent" in patch.text
