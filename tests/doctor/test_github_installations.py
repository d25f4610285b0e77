"""The doctor's check of a GitHub App."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from gateway.demo.serve import serving
from launcher.doctor.github_installations import check_github_app
from launcher.settings import GitHubAppSettings
from tests.doctor.installation import Installation
from tests.github_app.api import APP_ID, AppGitHub, pem, private_key


@pytest.fixture
def github() -> AppGitHub:
    return AppGitHub(clock=time.time)


@pytest_asyncio.fixture
async def settings(github: AppGitHub) -> AsyncIterator[GitHubAppSettings]:
    async with serving(github.app) as url:
        yield GitHubAppSettings(app_id=APP_ID, private_key=private_key(), api_url=url)


async def test_a_healthy_app_is_told_with_its_installations(settings: GitHubAppSettings) -> None:
    check = await check_github_app(settings)
    assert (check.outcome, check.message) == ("ok", "Widget Bot, 1 installations")


@pytest.mark.parametrize(
    ("given", "outcome", "words"),
    [
        ({"app_id": "9"}, "failed", "SLIPGATE_GITHUB_APP_ID"),
        ({"api_url": "http://127.0.0.1:9"}, "warning", "GITHUB_API_URL"),
        ({"may_change_workflows": True}, "warning", "workflows: write"),
    ],
    ids=["another id", "nobody answers", "no workflows"],
)
async def test_a_wrong_setting_is_told_with_advice(
    settings: GitHubAppSettings, given: dict[str, object], outcome: str, words: str
) -> None:
    check = await check_github_app(replace(settings, **given))  # type: ignore[arg-type]
    assert check.outcome == outcome
    assert words in f"{check.message} {check.advice}"


async def test_an_app_without_permission_or_installation_fails(
    github: AppGitHub, settings: GitHubAppSettings
) -> None:
    github.installed.clear()
    assert "installed nowhere" in (await check_github_app(settings)).message
    github.granted["contents"] = "read"
    check = await check_github_app(settings)
    assert (check.outcome, "contents: write" in check.message) == ("failed", True)


async def test_an_app_takes_the_place_of_a_token(
    github: AppGitHub, installation: Installation
) -> None:
    async with serving(github.app) as url:
        checks = await installation.checks(
            GITHUB_TOKEN="",
            GITHUB_API_URL=url,
            SLIPGATE_GITHUB_APP_ID=APP_ID,
            SLIPGATE_GITHUB_APP_PRIVATE_KEY=pem(),
        )
    assert checks["GitHub App"][0].outcome == "ok"
    assert "GitHub token" not in checks
