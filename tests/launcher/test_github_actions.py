"""Delegation to GitHub Actions: claims, reports, and GitHub's responses."""

import functools
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import get_args

import httpx
import pytest
import pytest_asyncio
import structlog

from gateway.demo.serve import serving
from gateway.wire.launcher import Delegate, JobKind
from gateway.wire.times import parse_rfc3339
from launcher.client import Client
from launcher.github import open_github
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.loop import Launcher
from launcher.providers.github_actions import GitHubActions
from launcher.settings import GitHubActionsSettings
from tests.github_actions.api import FILE, REPOSITORY, TOKEN, Fault, GitHub
from tests.github_actions.workflow import Workflow
from tests.launcher.clock import Time
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import a_job

LOG: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def github() -> GitHub:
    return GitHub(workflow=Workflow())


@pytest_asyncio.fixture
async def http(github: GitHub) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(github.app) as url, open_github(url, TOKEN) as opened:
        yield opened


Made = Callable[..., LauncherContext]


@pytest.fixture
def context(client: Client, http: httpx.AsyncClient, time: Time) -> Made:
    return functools.partial(_make_context, client, http, time)


def _make_context(
    client: Client, http: httpx.AsyncClient, time: Time, **given: str
) -> LauncherContext:
    named = {"repository": REPOSITORY, "workflow": FILE, "ref": "main", **given}
    settings = GitHubActionsSettings(**named, token=TOKEN, api_url="", realm="ours")
    actions = GitHubActions(http, settings, sleep=time.sleep, clock=time.clock)
    return LauncherContext(client=client, providers=(), forwarded_env={}, github_actions=actions)


async def test_it_claims_for_the_realms_of_the_workflow_and_for_none_of_its_own(
    context: Made, gateway: StubGateway
) -> None:
    made = context()
    assert await Launcher(made, launcher_id="l", version="1", capacity=1, log=LOG).once() == []
    assert gateway.claims[0].providers == ("daytona-cli@ours", "daytona-api@ours")


@pytest.mark.parametrize("kind", get_args(JobKind))
async def test_every_job_is_delegated_and_then_asked_for(
    context: Made, gateway: StubGateway, github: GitHub, kind: JobKind
) -> None:
    job = a_job(kind)
    github.on_run = lambda _: gateway.reports.append(("", "run", gateway.reports[-1][2]))
    assert await run_job(context(), job, LOG)
    assert gateway.verbs() == ["delegate", "run"]
    report = gateway.reports[0][2]
    assert isinstance(report, Delegate)
    claimed_until = parse_rfc3339(job.lease_expires_at)
    assert claimed_until
    assert report.until == claimed_until + timedelta(seconds=420 - job.lease_seconds)
    assert REPOSITORY in report.note
    assert github.calls == [{"ref": "main", "inputs": {"job": job.id}, "return_run_details": True}]


async def test_a_server_that_tells_no_run_is_asked_the_older_way(
    context: Made, github: GitHub
) -> None:
    github.knows_details = False
    assert await run_job(context(), a_job("create"), LOG)
    assert github.runs == ["job_create"]


@pytest.mark.parametrize(
    ("given", "code", "advice"),
    [
        pytest.param({"repository": "acme/other"}, "provider_refused", "github-workflow", id="404"),
        pytest.param({"workflow": "ci.yml"}, "provider_refused", "ci.yml of acme", id="no file"),
        pytest.param({"ref": "next"}, "provider_refused", "SLIPGATE_GITHUB_ACTIONS_REF", id="422"),
    ],
)
async def test_a_wrong_setup_ends_the_job_with_advice(
    context: Made, gateway: StubGateway, given: dict[str, str], code: str, advice: str
) -> None:
    assert not await run_job(context(**given), a_job("create"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable, error.provider) == (code, False, "github-actions")
    assert advice in error.message


async def test_an_input_that_the_workflow_does_not_know_ends_the_job(
    context: Made, gateway: StubGateway, github: GitHub
) -> None:
    github.workflow.inputs.clear()
    assert not await run_job(context(), a_job("create"), LOG)
    assert "Unexpected inputs provided" in gateway.failed().error.message


async def test_a_token_without_permission_names_the_missing_one(
    context: Made, http: httpx.AsyncClient, gateway: StubGateway, github: GitHub
) -> None:
    github.is_allowed = False
    assert not await run_job(context(), a_job("create"), LOG)
    assert "Actions: read and write" in gateway.failed().error.message
    http.headers["authorization"] = "Bearer wrong"
    assert not await run_job(context(), a_job("create"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_auth", False)
    assert "SLIPGATE_GITHUB_ACTIONS_TOKEN" in error.message
    assert TOKEN not in error.message


LIMITED = "You have exceeded a secondary rate limit"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=502), id="server"),
        pytest.param(Fault(status=429, message=LIMITED), id="limit"),
        pytest.param(
            Fault(status=403, message=LIMITED, headers={"retry-after": "60"}), id="limit as 403"
        ),
        pytest.param(Fault(status=504, is_done=True), id="done and not answered"),
    ],
)
async def test_a_transient_error_is_retried(context: Made, github: GitHub, fault: Fault) -> None:
    github.faults.extend([fault, fault])
    assert await run_job(context(), a_job("create"), LOG)
    assert set(github.runs) == {"job_create"}
    assert len(github.calls) == 3


async def test_a_github_that_is_away_gives_the_job_back_in_time_for_another_launch(
    context: Made, time: Time, gateway: StubGateway, github: GitHub
) -> None:
    github.faults.extend([Fault(status=503)] * 9)
    assert not await run_job(context(), a_job("create", lease_seconds=36_000), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_unavailable", True)
    assert time.now < 120


async def test_sweeps_cost_a_run_once_an_hour(
    context: Made, time: Time, gateway: StubGateway, github: GitHub
) -> None:
    made = context()
    assert await run_job(made, a_job("sweep"), LOG)
    time.now += 3_599
    assert not await run_job(made, a_job("sweep"), LOG)
    assert "once an hour" in gateway.failed().error.message
    time.now += 1
    assert await run_job(made, a_job("sweep"), LOG)
    assert len(github.runs) == 2


async def test_a_limit_is_waited_for_and_one_that_outlasts_the_delegation_is_given_back(
    context: Made, github: GitHub, gateway: StubGateway, time: Time
) -> None:
    limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "70"}
    github.faults.append(Fault(status=403, message=LIMITED, headers=limited))
    assert await run_job(context(), a_job("create", lease_seconds=36_000), LOG)
    assert (time.now, github.runs) == (70, ["job_create"])
    github.faults.append(Fault(status=429, message=LIMITED, headers={"retry-after": "900"}))
    assert not await run_job(context(), a_job("create", lease_seconds=36_000), LOG)
    assert (gateway.failed().error.code, gateway.failed().error.retryable) == (
        "provider_quota",
        True,
    )
