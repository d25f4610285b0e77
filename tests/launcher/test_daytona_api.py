"""`daytona-api` alone: what only the API takes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.http import DaytonaHttp, open_daytona
from launcher.providers.daytona.sandboxes import Wishes
from tests.daytona.api import Api, opened
from tests.daytona.faults import Fault
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.launcher.jobs import an_order

MakeProvider = Callable[..., DaytonaApi]


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    organisation = Organisation(asyncio.get_running_loop().time)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


@pytest_asyncio.fixture
async def make(api: Api) -> AsyncIterator[MakeProvider]:
    async with open_daytona(api.url, "dtn_key") as http:

        def make(**wishes: Any) -> DaytonaApi:
            return DaytonaApi(DaytonaHttp(http), realm="r", wishes=Wishes(**wishes))

        yield make


async def test_an_api_that_knows_no_ttl_is_asked_without(api: Api, make: MakeProvider) -> None:
    fault = Fault(kind="status", status=400, message="property ttlMinutes should not exist")
    api.faults.plan("POST /sandbox", fault)
    await make(ttl_minutes=90).create(an_order())
    (made,) = api.organisation.living()
    assert "ttlMinutes" not in made.settings


async def test_daytona_secrets_stand_for_values_that_the_launcher_need_not_have(
    api: Api, make: MakeProvider
) -> None:
    secrets = {"OPENAI_API_KEY": "openai-prod", "ANTHROPIC_API_KEY": "anthropic-prod"}
    await make(secrets=secrets).create(an_order({"MODEL_PROVIDER": "openai"}))
    (made,) = api.organisation.living()
    assert made.settings["secrets"] == [{"OPENAI_API_KEY": "openai-prod"}]
