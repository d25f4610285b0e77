"""Claiming, capacity, and stopping in order."""

import asyncio

import pytest
import structlog
from structlog.typing import FilteringBoundLogger

from gateway.cli.local.processes import GRACE
from launcher.client import GatewayRejected
from launcher.jobs.context import LauncherContext
from launcher.loop import DRAIN_SECONDS, Launcher
from tests.launcher.agents import WAITS
from tests.launcher.conditions import LIMIT_SECONDS, until
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import a_job
from tests.launcher.lines import LOG, Lines
from tests.launcher.test_jobs import MakeContext


def launcher_on(
    context: LauncherContext, log: FilteringBoundLogger = LOG, **changes: float
) -> Launcher:
    return Launcher(
        context,
        launcher_id="launcher-1",
        version="1",
        capacity=int(changes.get("capacity", 4)),
        log=log,
        wait_seconds=changes.get("wait", 5),
        drain_seconds=changes.get("drain", 5),
    )


async def test_a_claim_names_realm_capacity_and_running_jobs(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    gateway.mute = {"done"}
    gateway.offers = [a_job("create")]
    stopping = asyncio.Event()

    async def watch() -> None:
        await until(lambda: any(claim.holding for claim in gateway.claims))
        gateway.mute = set()
        stopping.set()

    await asyncio.gather(launcher_on(context, capacity=2).run(stopping), watch())
    first, second = gateway.claims[:2]
    assert first.providers == (f"local@{context.providers[0].realm}",)
    assert (first.capacity, first.holding) == (2, ())
    assert (second.capacity, second.holding) == (1, ("job_create",))


async def test_a_full_launcher_claims_again_once_it_has_capacity(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.mute = {"done"}
    gateway.offers = [a_job("create")]
    stopping = asyncio.Event()

    async def watch() -> None:
        await until(lambda: [claim.capacity for claim in gateway.claims] == [1, 0])
        gateway.mute = set()
        await until(lambda: [claim.capacity for claim in gateway.claims] == [1, 0, 1])
        stopping.set()

    run = launcher_on(make_context(*WAITS), capacity=1, wait=30).run(stopping)
    await asyncio.wait_for(asyncio.gather(run, watch()), LIMIT_SECONDS)


async def test_stopping_finishes_running_jobs_and_claims_no_more(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.mute = {"done"}
    gateway.offers = [a_job("create")]
    stopping = asyncio.Event()

    async def watch() -> None:
        await until(lambda: gateway.count("done") and len(gateway.claims) == 2)
        stopping.set()
        gateway.offers = [a_job("sweep")]
        gateway.mute = set()

    await asyncio.gather(launcher_on(make_context(*WAITS)).run(stopping), watch())
    assert gateway.verbs("job_create")[-1] == "done"
    assert gateway.verbs("job_sweep") == []


async def test_stopping_takes_bounded_time(gateway: StubGateway, make_context: MakeContext) -> None:
    gateway.mute = {"done"}
    gateway.offers = [a_job("create")]
    stopping = asyncio.Event()

    async def watch() -> None:
        await until(lambda: gateway.count("done"))
        stopping.set()

    lines = Lines()
    run = launcher_on(make_context(*WAITS), lines.log, drain=0.2).run(stopping)
    await asyncio.wait_for(asyncio.gather(run, watch()), LIMIT_SECONDS)
    assert [line["jobs"] for line in lines.of("launcher.stopping")] == [1]
    assert [line["outcome"] for line in lines.of("job")] == ["given_back"]


def test_up_waits_longer_than_a_launcher_drains() -> None:
    assert GRACE >= DRAIN_SECONDS + 5


async def test_a_key_that_is_refused_ends_the_launcher(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.refused_key = True
    with pytest.raises(GatewayRejected):
        await launcher_on(make_context(*WAITS)).run(asyncio.Event())


async def test_once_runs_the_claimed_jobs_or_the_named_one(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    gateway.offers = [a_job("create"), a_job("sweep")]
    assert await launcher_on(context).once() == [True, True]
    assert await launcher_on(context).once() == []
    assert await launcher_on(context).once("job_create") == []
    assert gateway.claims[-1].job_id == "job_create"


async def test_each_job_leaves_one_line_without_secrets(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    output = structlog.testing.CapturingLogger()
    log = structlog.wrap_logger(output, processors=[structlog.processors.JSONRenderer()])
    gateway.offers = [a_job("create", env={"SLIPGATE_WEBHOOK_SECRET": "whsec_hidden"})]
    context = make_context(*WAITS)
    await Launcher(context, launcher_id="l", version="1", capacity=1, log=log).once()
    (line,) = output.calls
    assert '"outcome": "created"' in line.args[0]
    assert "whsec_hidden" not in line.args[0]
