"""Both providers of Daytona in one cloud, and a launcher with one of them."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli import DaytonaCli
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.providers.protocol import Provider
from launcher.settings import CreateOptions
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.launcher.clock import Time
from tests.launcher.daytona.world import REALM, World


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    time = Time()
    organisation = Organisation(lambda: 1_790_000_000 + time.now)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as api:
        yield World(api, time)


@pytest_asyncio.fixture(params=["daytona-api", "daytona-cli"])
async def provider(
    request: pytest.FixtureRequest, world: World, tmp_path: Path
) -> AsyncIterator[Provider]:
    options = CreateOptions(ttl_minutes=90)
    if request.param == "daytona-cli":
        bin_ = tmp_path / "bin"
        bin_.mkdir()
        terminal = open_cli_client(
            tmp_path / "cli",
            path=str(install(bin_, "0.205.1")),
            url=world.api.url,
            api_key="dtn_key",
            environ={"PATH": os.defpath},
        )
        time = world.time
        yield DaytonaCli(terminal, realm=REALM, options=options, sleep=time.sleep, clock=time.clock)
        return
    async with open_daytona(world.api.url, "dtn_key") as http:
        yield DaytonaApi(
            DaytonaApiClient(http),
            realm=REALM,
            options=options,
            sleep=world.time.sleep,
            clock=world.time.clock,
        )


@pytest.fixture
def context(client: Client, world: World, provider: Provider) -> LauncherContext:
    return LauncherContext(
        client=client,
        providers=(provider,),
        forwarded_env={},
        clock=world.time.clock,
        sleep=world.time.sleep,
    )
