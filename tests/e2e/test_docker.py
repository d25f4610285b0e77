"""Sandboxes as containers, in one of them the real entrypoint: from POST to pull request.

The engine is a stand-in, so this shows that launcher and agent understand each other through what
docker's CLI takes and prints: variables, spool, exit, removal. It cannot show that an image builds,
that a container is confined, or that it reaches the network.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from launcher.providers.local.provider import EXECUTION
from tests.docker.cli import install
from tests.docker.daemon import Daemon
from tests.e2e import points
from tests.e2e.frontend import Json
from tests.e2e.installation import Installation, installation
from tests.e2e.settled import settle
from tests.e2e.shared_installation import SHORT
from tests.forks.programs import attempt

pytestmark = pytest.mark.timeout(600)


@asynccontextmanager
async def _docker_installation(
    folder: Path, program: tuple[str, ...], *, is_public: bool
) -> AsyncIterator[tuple[Installation, Daemon]]:
    """A launcher with docker alone, whose image starts this program."""
    programs = folder / "bin"
    programs.mkdir()
    _, daemon = install(programs)
    path = os.environ["PATH"]
    search = f"{Path(sys.executable).parent}:{path}"
    daemon.add_image("slipgate-agent-1", program, search=search)
    providers = {"SLIPGATE_PROVIDERS": "docker", "PATH": f"{programs}:{path}"}
    try:
        async with installation(
            folder, choose=lambda _: SHORT, is_public=is_public, providers=providers
        ) as it:
            yield it, daemon
    finally:
        daemon.close()


async def _ends_with_its_pull_request(
    it: Installation, daemon: Daemon, agent: Json, *, is_public: bool
) -> None:
    task = await it.frontend.create(**points.QUICK | {"agent": agent})
    shown = await task.until_over(seconds=150)
    await settle(it, task)
    (pull,) = it.world.pulls(shown["branchName"])
    assert (shown["status"], shown["prUrl"]) == ("completed", pull.html_url)
    assert (shown["sandbox"]["provider"], shown["flag"]) == ("docker", None)
    assert bool(it.proxy.acknowledged) is is_public
    assert daemon.containers() == []
    assert len(list(daemon.folder.glob("removed/*"))) == 1


async def test_a_task_in_a_container_ends_with_its_pull_request(tmp_path: Path) -> None:
    async with _docker_installation(tmp_path, EXECUTION, is_public=True) as (it, daemon):
        await _ends_with_its_pull_request(it, daemon, points.BY_MODEL, is_public=True)


async def test_a_container_that_cannot_call_is_read_and_says_why_it_cannot_do_its_task(
    tmp_path: Path,
) -> None:
    async with _docker_installation(tmp_path, (attempt(),), is_public=False) as (it, daemon):
        await _ends_with_its_pull_request(it, daemon, points.BY_COMMAND, is_public=False)
        task = await it.frontend.create(repoUrl="https://localhost:9/acme/widgets.git")
        shown = await task.until_over(seconds=150)
        await settle(it, task)
        assert (shown["status"], shown["error"]["stage"]) == ("failed", "clone")
        assert daemon.containers() == []
