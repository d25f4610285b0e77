"""The doctor's checks of GitHub Actions: each problem, with advice."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.demo.serve import serving
from launcher.doctor.checkup import Checkup
from launcher.doctor.github_actions import check_github_actions
from launcher.doctor.report import Check
from launcher.settings import GitHubActionsSettings, inspect_settings
from tests.github_actions.api import FILE, REPOSITORY, TOKEN, GitHub
from tests.github_actions.workflow import Workflow
from tests.stores import FileDatabase
from tests.web.callers import PUBLIC_URL, open_gateway

TOKEN_CHECK = "Actions token"


@pytest.fixture
def github() -> GitHub:
    return GitHub(workflow=Workflow())


@pytest_asyncio.fixture
async def settings(github: GitHub) -> AsyncIterator[GitHubActionsSettings]:
    async with serving(github.app) as url:
        yield GitHubActionsSettings(
            repository=REPOSITORY, token=TOKEN, workflow=FILE, ref="main", api_url=url, realm="ours"
        )


async def looked(settings: GitHubActionsSettings) -> dict[str, list[Check]]:
    found: defaultdict[str, list[Check]] = defaultdict(list)
    for check in await check_github_actions(settings):
        found[check.name].append(check)
    return found


async def test_a_healthy_workflow_passes_all_checks_in_order(
    github: GitHub, settings: GitHubActionsSettings
) -> None:
    checks = await check_github_actions(settings)
    assert [(check.name, check.outcome) for check in checks] == [
        ("repository", "ok"),
        ("Actions", "ok"),
        ("workflow", "ok"),
        ("workflow text", "ok"),
        (TOKEN_CHECK, "ok"),
    ]
    assert github.runs == []


def text_of(check: Check) -> str:
    text = f"{check.message} {check.advice}"
    assert TOKEN not in text
    return text


@pytest.mark.parametrize(
    ("given", "name", "words"),
    [
        ({"token": "old"}, TOKEN_CHECK, "Actions: read and write"),
        ({"repository": "acme/x"}, "repository", "SLIPGATE_GITHUB_ACTIONS_REPO"),
        ({"api_url": "http://127.0.0.1:9"}, "repository", "SLIPGATE_GITHUB_ACTIONS_API_URL"),
        ({"workflow": "ci.yml"}, "workflow", "snapshot/github-workflow.yml"),
    ],
    ids=["an expired token", "another repository", "nobody answers", "no workflow"],
)
async def test_a_wrong_setting_is_reported_with_advice(
    github: GitHub, settings: GitHubActionsSettings, given: dict[str, str], name: str, words: str
) -> None:
    check = (await looked(replace(settings, **given)))[name][0]
    assert check.outcome == "failed"
    assert words in text_of(check)
    assert github.runs == []


@pytest.mark.parametrize(
    ("is_so", "name", "words"),
    [
        ({"is_archived": True}, "repository", "failed: archived"),
        ({"is_enabled": False}, "Actions", "failed: Settings → Actions"),
        ({"is_enabled": True}, "Actions", "ok: enabled"),
        ({"state": "disabled_inactivity"}, "workflow", "failed: gh workflow enable"),
        ({"texts": {"main": "on: push"}}, "workflow text", "warning: copy snapshot/"),
        ({"shows_contents": False}, "workflow text", "warning: Contents: read"),
        ({"is_allowed": False}, TOKEN_CHECK, "failed: not start it"),
        ({"scopes": "repo, workflow"}, TOKEN_CHECK, "warning: every repository"),
    ],
    ids=[
        "archived",
        "Actions disabled",
        "Actions enabled",
        "a workflow that rests",
        "another text",
        "contents not shown",
        "a token that only reads",
        "a classic token",
    ],
)
async def test_a_problem_of_the_repository_is_reported_with_advice(
    github: GitHub, settings: GitHubActionsSettings, is_so: dict[str, Any], name: str, words: str
) -> None:
    for field, value in is_so.items():
        setattr(github, field, value)
    check = (await looked(settings))[name][0]
    outcome, _, text = words.partition(": ")
    assert check.outcome == outcome
    assert text in text_of(check)
    assert github.runs == []


@pytest.mark.parametrize(
    ("texts", "outcomes"),
    [
        ({"next": Workflow().text}, ["ok", "ok"]),
        ({"next": Workflow().text.replace("\n", "\r\n")}, ["ok", "ok"]),
        ({"next": "on: push"}, ["ok", "warning"]),
        ({}, ["ok", "failed"]),
    ],
    ids=["the same", "other ends of lines", "another", "none"],
)
async def test_the_branch_that_runs_is_checked_too(
    github: GitHub, settings: GitHubActionsSettings, texts: dict[str, str], outcomes: list[str]
) -> None:
    github.texts = texts
    checks = (await looked(replace(settings, ref="next")))["workflow text"]
    assert [check.outcome for check in checks] == outcomes
    assert "next" in checks[1].message


@pytest.mark.parametrize("is_public", [True, False], ids=["public", "without a public URL"])
async def test_the_checkup_needs_a_gateway_with_a_public_url(
    tmp_path: Path, settings: GitHubActionsSettings, is_public: bool
) -> None:
    public_url = PUBLIC_URL if is_public else ""
    async with (
        open_gateway(
            FileDatabase(tmp_path / "slipgate.db"), SLIPGATE_PUBLIC_URL=public_url
        ) as gateway,
        serving(gateway.app) as url,
    ):
        environ = {
            "SLIPGATE_URL": url,
            "SLIPGATE_API_KEY": gateway.bearer("launcher")["authorization"].split()[1],
            "SLIPGATE_PROVIDERS": "github-actions",
            "SLIPGATE_REALM": "ours",
            "SLIPGATE_GITHUB_ACTIONS_REPO": REPOSITORY,
            "SLIPGATE_GITHUB_ACTIONS_TOKEN": TOKEN,
            "SLIPGATE_GITHUB_ACTIONS_API_URL": settings.api_url,
        }
        looked_at, problems = inspect_settings(environ)
        checkup = Checkup(settings=looked_at, problems=problems, environ=environ)
        checks = {check.name: check async for check in checkup.run()}
    assert checks[TOKEN_CHECK].outcome == "ok"
    assert checks["public URL"].outcome == "failed"  # nobody answers at the example's
    assert ("a run of the workflow" in checks["public URL"].message) is not is_public
