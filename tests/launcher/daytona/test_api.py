"""`daytona-api` alone: features of the API only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.protocol import ProviderError
from launcher.settings import CreateOptions
from tests.daytona.api import Api, opened
from tests.daytona.faults import Fault
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.launcher.clock import Time
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, NAME, a_job, a_spec
from tests.launcher.lines import LOG

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

        def make(**options: Any) -> DaytonaApi:
            return DaytonaApi(DaytonaApiClient(http), realm="r", options=CreateOptions(**options))

        yield make


def _make_context(client: Client, provider: DaytonaApi) -> tuple[LauncherContext, Time]:
    """A launcher on a simulated clock."""
    time = Time()
    context = LauncherContext(
        client=client, providers=(provider,), forwarded_env={}, sleep=time.sleep, clock=time.clock
    )
    return context, time


async def test_a_throttler_is_no_ttl(api: Api, make: MakeProvider) -> None:
    message = "ThrottlerException: Bottleneck, settled a little"
    api.faults.plan("POST /sandbox", Fault(kind="status", status=400, message=message))
    with pytest.raises(ProviderError, match="Throttler"):
        await make(ttl_minutes=90).create(a_spec())
    assert api.faults.calls.count("POST /sandbox") == 1


async def test_no_lifespan_is_asked_for_where_none_is_wanted(api: Api, make: MakeProvider) -> None:
    await make(ttl_minutes=None).create(a_spec())
    (made,) = api.organisation.living()
    assert "ttlMinutes" not in made.settings


async def test_an_api_before_v0_180_lists_all_sandboxes_in_a_bare_array(
    api: Api, make: MakeProvider
) -> None:
    api.lists_all_at_once = True
    for number in range(230):
        api.organisation.create({"name": f"n{number}", "labels": {"slipgate-instance": INSTANCE}})
    api.organisation.create({"name": "foreign"})
    assert len(await make().list_sandboxes(INSTANCE)) == 230
    assert api.faults.calls == ["GET /sandbox"]


async def test_a_list_ends_also_where_no_cursor_is_null(api: Api, make: MakeProvider) -> None:
    item = {"id": "s1", "name": "foreign", "labels": None}
    pages = [
        {"items": [item], "nextCursor": ""},
        {"items": [item], "nextCursor": "a"},
        {"items": None, "nextCursor": "a"},
    ]
    faults = [Fault(kind="status", status=200, body=page) for page in pages]
    api.faults.plan("GET /sandbox", *faults)
    counts = [len(await make().list_sandboxes(INSTANCE)) for _ in range(2)]
    assert (counts, len(api.faults.calls)) == ([1, 1], 3)


async def test_an_address_that_sends_elsewhere_is_said_to_be_wrong(
    api: Api, make: MakeProvider
) -> None:
    headers = (("location", "https://app.daytona.io/api/sandbox?code=secret"),)
    api.faults.plan("POST /sandbox", Fault(kind="status", status=308, headers=headers))
    with pytest.raises(ProviderError, match=r"sends to https://app\.daytona\.io") as refused:
        await make().create(a_spec())
    assert "DAYTONA_API_URL" in refused.value.message
    assert "secret" not in refused.value.message
    assert not refused.value.retryable
    api.faults.plan("POST /sandbox", Fault(kind="html", status=200))
    with pytest.raises(ProviderError, match="DAYTONA_API_URL"):
        await make().create(a_spec())


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((("Retry-After-sandbox-create", "17"),), id="with a suffix"),
        pytest.param((("Retry-After", "17"),), id="plain"),
        pytest.param(
            (
                ("X-RateLimit-Remaining-sandbox-create", "0"),
                ("X-RateLimit-Reset-sandbox-create", "17"),
                ("X-RateLimit-Remaining-authenticated", "900"),
                ("X-RateLimit-Reset-authenticated", "55"),
            ),
            id="of the limit that is used up",
        ),
    ],
)
async def test_a_rate_limited_create_waits_for_the_limit(
    api: Api,
    make: MakeProvider,
    client: Client,
    gateway: StubGateway,
    headers: tuple[tuple[str, str], ...],
) -> None:
    api.faults.plan("POST /sandbox", Fault(kind="status", status=429, headers=headers))
    context, time = _make_context(client, make())
    assert await run_job(context, a_job("create", lease_seconds=36_000), LOG)
    assert time.now >= 17
    assert gateway.verbs()[-1] == "done"


async def test_a_limit_that_outlasts_the_launch_is_given_back_at_once(
    api: Api, make: MakeProvider, client: Client, gateway: StubGateway
) -> None:
    headers = (("Retry-After-sandbox-create", "900"),)
    api.faults.plan("POST /sandbox", Fault(kind="status", status=429, headers=headers))
    context, time = _make_context(client, make())
    assert not await run_job(context, a_job("create", lease_seconds=36_000), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable, time.now) == ("provider_quota", True, 0)


async def test_other_calls_wait_for_their_limit_once(api: Api) -> None:
    limited = Fault(kind="status", status=429, headers=(("Retry-After-authenticated", "9"),))
    api.faults.plan("GET /sandbox/{name}", limited)
    api.organisation.create({"name": NAME, "snapshot": "slipgate-agent-1"})
    time = Time()
    async with open_daytona(api.url, "dtn_key") as http:
        there = DaytonaApi(
            DaytonaApiClient(http, sleep=time.sleep), realm="r", options=CreateOptions()
        )
        found = await there.find(KEY)
        assert (found is not None, time.now) == (True, 9)
        api.faults.plan("GET /sandbox/{name}", limited, limited)
        with pytest.raises(ProviderError) as still:
            await there.find(KEY)
    assert (still.value.code, still.value.retry_after) == ("provider_quota", 9)


async def test_daytona_secrets_stand_for_values_that_the_launcher_need_not_have(
    api: Api, make: MakeProvider
) -> None:
    secrets = {"OPENAI_API_KEY": "openai-prod", "ANTHROPIC_API_KEY": "anthropic-prod"}
    await make(secrets=secrets).create(a_spec({"MODEL_PROVIDER": "openai"}))
    (made,) = api.organisation.living()
    assert made.settings["secrets"] == [{"OPENAI_API_KEY": "openai-prod"}]
