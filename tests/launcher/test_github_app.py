"""Installation tokens: minted, kept, refused, and handed to the sandboxes of their repository."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from starlette.responses import JSONResponse, Response

from gateway.demo.serve import serving
from gateway.wire.github_tokens import TokenRequest
from launcher.client import Client
from launcher.github import open_github
from launcher.github_app import FRESH_SECONDS, SPARE_SECONDS, GitHubApp, git_host
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.local.provider import LocalProvider
from launcher.providers.protocol import ProviderError, SandboxSpec, SandboxStatus
from launcher.settings import GitHubAppSettings
from launcher.token_answers import TokenAnswers
from tests.github_app.api import APP_ID, AppGitHub, private_key
from tests.launcher.agents import WAITS
from tests.launcher.clock import Time
from tests.launcher.conditions import until
from tests.launcher.conftest import kill_all_under
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import a_job
from tests.launcher.lines import LOG, Lines

REPO = "https://127.0.0.1/acme/widgets.git"
OTHER_KEY = generate_private_key(65537, 2048)


@pytest.fixture
def now() -> Time:
    time = Time()
    time.now = 1_790_000_000.0
    return time


@pytest.fixture
def github(now: Time) -> AppGitHub:
    return AppGitHub(clock=now.clock)


@pytest_asyncio.fixture
async def app(github: AppGitHub, now: Time) -> AsyncIterator[GitHubApp]:
    async with serving(github.app) as url, open_github(url) as http:
        settings = GitHubAppSettings(app_id=APP_ID, private_key=private_key(), api_url=url)
        yield GitHubApp(http, settings, clock=now.clock)


async def code_of(app: GitHubApp, repo_url: str = REPO) -> tuple[str, bool, str]:
    with pytest.raises(ProviderError) as raised:
        await app.token(repo_url)
    return raised.value.code, raised.value.retryable, raised.value.message


async def test_a_token_is_for_the_one_repository_with_the_least_permissions(
    app: GitHubApp, github: AppGitHub, now: Time
) -> None:
    token = await app.token(REPO)
    assert token.value == github.token(1)
    assert token.value not in repr(token)
    assert token.expires_at == (now.now + 3_600) * 1000
    assert github.asked == [
        {
            "repositories": ["widgets"],
            "permissions": {
                "contents": "write",
                "pull_requests": "write",
                "metadata": "read",
                "checks": "read",
            },
        }
    ]


async def test_it_is_kept_until_ten_minutes_before_its_end(
    app: GitHubApp, github: AppGitHub, now: Time
) -> None:
    first = await app.token(REPO)
    now.now += 3_600 - SPARE_SECONDS - 1
    assert await app.token("git@127.0.0.1:Acme/Widgets") == first
    now.now += 1
    assert await app.token(REPO) != first
    now.now += FRESH_SECONDS
    assert (await app.token(REPO, is_new=True)).value == github.token(3)


async def test_an_agent_that_asks_again_and_again_gets_one_new_token_a_minute(
    app: GitHubApp, github: AppGitHub, now: Time
) -> None:
    await app.token(REPO)
    now.now += FRESH_SECONDS
    asked = [(await app.token(REPO, is_new=True)).value for _ in range(3)]
    assert asked == [github.token(2)] * 3


async def test_a_permission_that_is_not_granted_is_left_out_or_named(
    app: GitHubApp, github: AppGitHub, now: Time
) -> None:
    del github.granted["checks"]
    await app.token(REPO)
    assert set(github.asked[0]["permissions"]) == {"contents", "pull_requests", "metadata"}
    github.granted["contents"] = "read"
    now.now += FRESH_SECONDS
    with pytest.raises(ProviderError, match="has not been granted contents: write"):
        await app.token(REPO, is_new=True)


async def test_workflows_may_be_changed_only_where_the_operator_wants_it(
    app: GitHubApp, github: AppGitHub, now: Time
) -> None:
    github.granted["workflows"] = "write"
    await app.token(REPO)
    assert "workflows" not in github.asked[0]["permissions"]
    app.settings = replace(app.settings, may_change_workflows=True)
    now.now += FRESH_SECONDS
    await app.token(REPO, is_new=True)
    assert github.asked[1]["permissions"]["workflows"] == "write"


async def test_a_repository_that_was_renamed_is_found_by_its_number(
    app: GitHubApp, github: AppGitHub
) -> None:
    github.renamed["acme/gadgets"] = 7
    await app.token("https://127.0.0.1/acme/gadgets")
    assert github.asked[0]["repository_ids"] == [7]


LIMITED = {"x-ratelimit-remaining": "0"}


@pytest.mark.parametrize(
    ("fault", "code", "is_retryable"),
    [
        (JSONResponse({"message": "Sorry"}, 502), "github_app_unavailable", True),
        (JSONResponse({"message": "Slow"}, 429), "github_app_unavailable", True),
        (JSONResponse({"message": "No"}, 403, LIMITED), "github_app_unavailable", True),
        (JSONResponse({"message": "No"}, 403), "github_app_refused", False),
        (Response("<html>", 404), "github_app_not_installed", False),
    ],
    ids=["server", "limit", "limit as 403", "forbidden", "not installed"],
)
async def test_each_refusal_has_a_code(
    app: GitHubApp, github: AppGitHub, fault: Response, code: str, is_retryable: bool
) -> None:
    github.faults.append(fault)
    assert (await code_of(app))[:2] == (code, is_retryable)


async def test_a_key_of_another_app_is_refused_with_advice(
    app: GitHubApp, github: AppGitHub, now: Time
) -> None:
    own = app.settings
    app.settings = replace(own, private_key=OTHER_KEY)
    code, is_retryable, message = await code_of(app)
    assert (code, is_retryable) == ("github_app_refused", False)
    assert "SLIPGATE_GITHUB_APP_ID" in message
    app.settings = replace(own, app_id="99")
    assert (await code_of(app))[0] == "github_app_refused"
    app.settings = own
    github.clock = lambda: now.now + 3_600
    assert "clock" in (await code_of(app))[2]


async def test_a_suspended_installation_gives_none(app: GitHubApp, github: AppGitHub) -> None:
    github.suspended_at = "2026-01-01T00:00:00Z"
    assert (await code_of(app))[0] == "github_app_refused"


async def test_a_github_that_is_away_is_a_transient_failure(app: GitHubApp) -> None:
    app.http = httpx.AsyncClient(base_url="http://127.0.0.1:9")
    assert (await code_of(app))[:2] == ("github_app_unavailable", True)


@pytest.mark.parametrize(
    ("api_url", "repo_url", "is_for"),
    [
        ("https://api.github.com", "https://github.com/acme/widgets", True),
        ("https://api.github.com", "https://www.GitHub.com/acme/widgets.git/", True),
        ("https://api.github.com", "git@github.com:acme/widgets.git", True),
        ("https://api.github.com", "ssh://git@ssh.github.com:443/acme/widgets", True),
        ("https://api.github.com", "https://gitlab.com/acme/widgets", False),
        ("https://api.github.com", "https://github.com.evil.test/acme/widgets", False),
        ("https://api.github.com", "https://github.com@evil.test/acme/widgets", False),
        ("https://api.github.com", "https://github.com/acme/..", False),
        ("https://api.github.com", "https://github.com/acme/widgets/more", False),
        ("https://api.github.com", "file:///srv/acme/widgets", False),
        ("https://api.acme.ghe.com", "https://acme.ghe.com/acme/widgets", True),
        ("https://ghe.test/api/v3", "https://ghe.test/acme/widgets", True),
        ("https://ghe.test/api/v3", "https://github.com/acme/widgets", False),
    ],
)
def test_only_repositories_on_the_host_of_the_api_are_its_own(
    api_url: str, repo_url: str, is_for: bool
) -> None:
    settings = GitHubAppSettings(app_id="1", private_key=private_key(), api_url=api_url)
    assert GitHubApp(httpx.AsyncClient(), settings).is_for(repo_url) is is_for


def test_the_host_of_an_api_without_a_host_of_its_own_is_the_same() -> None:
    assert git_host("https://GHE.test/api/v3") == "ghe.test"


class Recorder(LocalProvider):
    """Remembers what it was told to create."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, environ={}, program=WAITS, grace=0.3)
        self.specs: list[SandboxSpec] = []

    async def create(self, order: SandboxSpec) -> SandboxStatus:
        self.specs.append(order)
        return await super().create(order)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    yield Recorder(tmp_path / "state")
    kill_all_under(tmp_path / "state")


@pytest.fixture
def context(client: Client, recorder: Recorder, app: GitHubApp) -> LauncherContext:
    return LauncherContext(
        client=client,
        providers=(recorder,),
        forwarded_env={"GITHUB_TOKEN": "ghp_of_the_launcher"},
        github_app=app,
    )


async def test_a_sandbox_gets_the_token_of_the_app_and_its_end(
    context: LauncherContext, recorder: Recorder, github: AppGitHub
) -> None:
    assert await run_job(context, a_job("create", env={"TARGET_REPO": REPO}), LOG)
    (spec,) = recorder.specs
    given = {
        "GITHUB_TOKEN": github.token(1),
        "SLIPGATE_GITHUB_TOKEN_EXPIRES_AT": "2026-09-21T15:13:20.000Z",
        "GITHUB_API_URL": str(context.github_app and context.github_app.settings.api_url),
    }
    assert spec.env == {"TARGET_REPO": REPO, **given}
    assert set(given) < spec.job_env, "no secret of the provider takes its place"


@pytest.mark.parametrize(
    ("env", "token"),
    [
        ({"GITHUB_TOKEN": "ghp_of_the_task"}, "ghp_of_the_task"),
        ({"TARGET_REPO": "https://elsewhere.test/acme/widgets"}, "ghp_of_the_launcher"),
        ({"TARGET_REPO": "https://127.0.0.1/acme/unknown"}, "ghp_of_the_launcher"),
        ({"GITHUB_API_URL": "https://evil.test"}, None),
    ],
    ids=["the task's own", "another host", "not installed", "another API"],
)
async def test_the_tasks_own_token_goes_first_and_the_launchers_last(
    context: LauncherContext,
    recorder: Recorder,
    github: AppGitHub,
    env: dict[str, str],
    token: str | None,
) -> None:
    assert await run_job(context, a_job("create", env={"TARGET_REPO": REPO, **env}), LOG)
    found = recorder.specs[0].env
    assert found.get("GITHUB_TOKEN") == token
    assert "SLIPGATE_GITHUB_TOKEN_EXPIRES_AT" not in found
    assert github.asked == []


async def test_without_any_token_the_job_fails_for_good_and_says_why(
    context: LauncherContext, gateway: StubGateway
) -> None:
    bare = replace(context, forwarded_env={})
    job = a_job("create", env={"TARGET_REPO": "https://127.0.0.1/acme/unknown"})
    assert not await run_job(bare, job, LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("github_app_not_installed", False)
    assert "acme/unknown" in error.message


async def test_a_transient_failure_is_tried_again(
    context: LauncherContext, recorder: Recorder, github: AppGitHub, gateway: StubGateway
) -> None:
    github.faults.append(JSONResponse({"message": "Sorry"}, 503))
    waiting = replace(context, sleep=Time().sleep)
    assert await run_job(waiting, a_job("create", env={"TARGET_REPO": REPO}), LOG)
    assert gateway.count("trying") == 2
    assert len(recorder.specs) == 1


async def test_agents_that_ask_for_a_new_token_get_one_that_nobody_had(
    client: Client, app: GitHubApp, gateway: StubGateway, github: AppGitHub, now: Time
) -> None:
    kept = await app.token(REPO)
    now.now += FRESH_SECONDS
    asked = TokenRequest(id="tok_1", repo_url=REPO, task_id="task_1", attempt=1)
    unknown = TokenRequest(
        id="tok_2", repo_url="https://127.0.0.1/acme/unknown", task_id="task_2", attempt=1
    )
    gateway.token_requests.extend([asked, unknown])
    lines = Lines()
    answers = TokenAnswers(client, app, "l1", lines.log, Time().sleep)
    running = asyncio.create_task(answers.run())
    await until(lambda: len(lines.of("github_token")) == 2)
    running.cancel()
    made, none = (gateway.token_answers[name] for name in ("tok_1", "tok_2"))
    assert made.token == github.token(2) != kept.value
    assert none.error
    assert (none.error.code, none.error.retryable) == ("github_app_not_installed", False)
    assert {line["outcome"] for line in lines.of("github_token")} == {
        "made",
        "github_app_not_installed",
    }
    assert "ghs_" not in str(lines.of("github_token"))
