"""Sweeps of Daytona: its list is a hint, and a sandbox is looked up before it is destroyed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from gateway.wire.launcher import JobSandbox
from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.settings import CreateOptions
from tests.daytona.api import Api, opened
from tests.daytona.machine import Machine
from tests.daytona.organisation import Habits, Organisation, Sandbox, Snapshot
from tests.launcher.clock import Time
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, LABELS, NAME, a_job

LOG: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)
SNAPSHOT = "slipgate-agent-1"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest_asyncio.fixture
async def api(tmp_path: Path, time: Time) -> AsyncIterator[Api]:
    organisation = Organisation(lambda: 1_790_000_000 + time.now)
    organisation.add_snapshot(Snapshot(name=SNAPSHOT))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


@pytest_asyncio.fixture
async def context(client: Client, api: Api, time: Time) -> AsyncIterator[LauncherContext]:
    async with open_daytona(api.url, "dtn_key") as http:
        provider = DaytonaApi(
            DaytonaApiClient(http),
            realm="r",
            options=CreateOptions(),
            sleep=time.sleep,
            clock=time.clock,
        )
        yield LauncherContext(
            client=client,
            providers=(provider,),
            forwarded_env={},
            clock=time.clock,
            sleep=time.sleep,
        )


def made(api: Api, name: str = NAME, **labels: str) -> Sandbox:
    wanted = {"name": name, "snapshot": SNAPSHOT, "labels": {**LABELS, **labels}}
    return api.organisation.create(wanted)


async def destroyed(context: LauncherContext, sandbox: Sandbox) -> bool:
    """The destroy job of an orphan: name, id and labels as a sweep has reported them."""
    place = JobSandbox(name=NAME, id=sandbox.id, provider="daytona-api", realm="r")
    return await run_job(context, a_job("destroy", lease_seconds=36_000, sandbox=place), LOG)


async def swept(context: LauncherContext, gateway: StubGateway) -> list[str]:
    assert await run_job(context, a_job("sweep", lease_seconds=36_000), LOG)
    return [each.id for each in gateway.done().sandboxes or ()]


async def test_a_sweep_finds_its_own_instance_alone_by_label(
    api: Api, context: LauncherContext, gateway: StubGateway
) -> None:
    ours = made(api)
    made(api, "theirs", **{"slipgate-instance": f"{INSTANCE}0"})
    api.organisation.create({"name": "bare", "snapshot": SNAPSHOT})
    assert await swept(context, gateway) == [ours.id]
    assert not any(call.startswith("DELETE") for call in api.faults.calls)


async def test_a_sandbox_of_a_flapping_list_is_looked_up_and_not_deleted_again(
    api: Api, context: LauncherContext, gateway: StubGateway, time: Time
) -> None:
    api.organisation.habits = Habits(list_lag_seconds=3)
    ghost = made(api)
    time.now += 3
    api.organisation.destroy(ghost.id)
    assert await swept(context, gateway) == [ghost.id]
    assert await destroyed(context, ghost)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "gone"
    assert "DELETE /sandbox/{name}" not in api.faults.calls


async def test_a_list_that_does_not_show_it_yet_proves_no_absence(
    api: Api, context: LauncherContext, gateway: StubGateway
) -> None:
    api.organisation.habits = Habits(list_lag_seconds=3)
    new = made(api)
    assert await swept(context, gateway) == []
    assert await destroyed(context, new)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert (sandbox.id, sandbox.state) == (new.id, "destroyed")
    assert api.organisation.living() == []


async def test_labels_are_compared_once_more_before_anything_is_deleted(
    api: Api, context: LauncherContext, gateway: StubGateway
) -> None:
    other = made(api, **{"slipgate-attempt": "2"})
    assert not await destroyed(context, other)
    assert gateway.failed().error.code == "labels_differ"
    assert api.organisation.living() == [other]
