"""A gateway, a Daytona, a GitHub and a model service on this machine, and a launcher's settings."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.demo.github import GitHub
from gateway.demo.model import ScriptedModel
from gateway.demo.serve import serving
from launcher.providers.docker.cli import DockerCli, open_docker_cli
from launcher.snapshots.scripts import compute_digest, entrypoint_for
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.docker.cli import install as install_docker
from tests.docker.daemon import Daemon
from tests.doctor.installation import SNAPSHOT, Installation
from tests.launcher.agents import program
from tests.stores import FileDatabase
from tests.web.callers import open_gateway

FORWARDED = "OPENAI_API_KEY,OPENAI_BASE_URL,GITHUB_TOKEN,GITHUB_API_URL"
SAYS_ITS_SCRIPTS = program("import os; print(f'slipgate: scripts={os.environ[\"DIGEST\"]}')")


@pytest.fixture
def docker(tmp_path: Path) -> Daemon:
    """A daemon, with its CLI in the folder `tools`."""
    (tmp_path / "tools").mkdir()
    return install_docker(tmp_path / "tools")[1]


@pytest.fixture
def engine(tmp_path: Path, docker: Daemon) -> DockerCli:
    """The launcher's client of that daemon."""
    assert docker.folder.is_dir()
    environ = {"PATH": f"{tmp_path / 'tools'}:{os.defpath}"}
    return open_docker_cli(tmp_path / "docker-cli", environ=environ)


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """An organisation with the default snapshot, made of this release's scripts."""
    digest = await compute_digest()
    organisation = Organisation(lambda: 1_790_000_000.0)
    organisation.add_snapshot(Snapshot(name=SNAPSHOT, entrypoint=entrypoint_for(digest)))
    runs = ("env", f"DIGEST={digest}", *SAYS_ITS_SCRIPTS)
    machine = Machine(tmp_path / "machine", program=runs)
    async with opened(Api(organisation=organisation, machine=machine)) as made:
        yield made


@pytest_asyncio.fixture
async def installation(tmp_path: Path, api: Api) -> AsyncIterator[Installation]:
    folder = tmp_path / "bin"
    folder.mkdir()
    install(folder, "0.205.1")
    github = GitHub(token="gh-token-of-the-test", repositories={})
    model = ScriptedModel(key="model-key-of-the-test", now=time.time)
    async with (
        open_gateway(FileDatabase(tmp_path / "slipgate.db")) as gateway,
        serving(gateway.app) as gateway_url,
        serving(github.app) as github_url,
        serving(model.app) as model_url,
    ):
        yield Installation(
            environ={
                "PATH": f"{folder}:{os.defpath}",
                "SLIPGATE_URL": gateway_url,
                "SLIPGATE_API_KEY": gateway.bearer("launcher")["authorization"].split()[1],
                "SLIPGATE_SANDBOX_ENV": FORWARDED,
                "SLIPGATE_PROVIDERS": "daytona-api",
                "SLIPGATE_LAUNCHER_STATE": str(tmp_path / "launcher"),
                "DAYTONA_API_KEY": "dtn_key",
                "DAYTONA_API_URL": api.url,
                "OPENAI_API_KEY": "model-key-of-the-test",
                "OPENAI_BASE_URL": f"{model_url}/v1",
                "GITHUB_TOKEN": "gh-token-of-the-test",
                "GITHUB_API_URL": github_url,
            },
            bin=folder,
            wrong_scope=gateway.bearer("tasks")["authorization"].split()[1],
        )
