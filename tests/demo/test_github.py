"""The fake GitHub refuses what GitHub would, and keeps what is opened."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.demo.git import git
from gateway.demo.github import GitHub
from gateway.demo.sample import SLUG, Sample, make_sample
from gateway.demo.serve import serving

TOKEN = "ghp_of_the_demo"
NEW = {"title": "Mend", "head": "slipgate/x", "base": "main", "body": "Why", "draft": True}
PULLS = f"/repos/{SLUG}/pulls"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """One for all: nobody pushes to it."""
    made = make_sample(tmp_path_factory.mktemp("demo"))
    git("checkout", "--quiet", "-b", "slipgate/x", folder=made.clone)
    git("commit", "--quiet", "--allow-empty", "--message", "Mend", folder=made.clone)
    git("push", "--quiet", "origin", "slipgate/x", "main:same", folder=made.clone)
    return made


@pytest.fixture
def github(sample: Sample) -> GitHub:
    return GitHub(token=TOKEN, repositories={SLUG: sample.bare})


@pytest.fixture
async def client(github: GitHub) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with (
        serving(github.app) as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as opened,
    ):
        yield opened


async def test_a_draft_is_opened_listed_and_shown(
    client: httpx.AsyncClient, github: GitHub, sample: Sample
) -> None:
    created = await client.post(PULLS, json=NEW)
    assert created.status_code == 201
    pull = created.json()
    assert (pull["draft"], pull["number"], pull["state"]) == (True, 1, "open")
    assert pull["html_url"] == f"{client.base_url}/{SLUG}/pull/1".replace("//acme", "/acme")
    assert pull["head"]["sha"] == git("rev-parse", "slipgate/x", folder=sample.clone)
    listed = await client.get(PULLS, params={"head": "acme:slipgate/x", "state": "open"})
    assert listed.json() == [pull]
    assert (await client.get(PULLS, params={"head": "acme:other"})).json() == []
    assert (await client.get(f"{PULLS}/1")).json() == pull
    assert [one.body for one in github.pulls(SLUG)] == ["Why"]


async def test_a_second_pull_request_of_a_branch_is_refused(client: httpx.AsyncClient) -> None:
    await client.post(PULLS, json=NEW)
    again = await client.post(PULLS, json=NEW)
    assert again.status_code == 422
    assert "already exists for acme:slipgate/x" in again.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "changed",
    [
        {"head": "not-pushed"},
        {"base": "missing"},
        {"head": "same"},
        {"head": "--all"},
        {"title": ""},
    ],
)
async def test_a_pull_request_that_cannot_be_is_refused(
    client: httpx.AsyncClient, changed: dict[str, str]
) -> None:
    refused = await client.post(PULLS, json={**NEW, **changed})
    assert refused.status_code == 422
    assert refused.json()["message"] == "Validation Failed"


async def test_a_body_that_is_not_json_is_said_not_to_be(client: httpx.AsyncClient) -> None:
    assert (await client.post(PULLS, content=b"{")).status_code == 400


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}"])
async def test_a_wrong_token_opens_nothing(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post(PULLS, json=NEW, headers={"authorization": given})
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


async def test_a_repository_says_its_default_branch(client: httpx.AsyncClient) -> None:
    shown = (await client.get(f"/repos/{SLUG}")).json()
    assert (shown["full_name"], shown["default_branch"]) == (SLUG, "main")


@pytest.mark.parametrize("path", ["/repos/acme/other", f"{PULLS}/7", "/nonsense"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_limits_can_be_asked_with_a_good_token_alone(client: httpx.AsyncClient) -> None:
    assert (await client.get("/rate_limit")).status_code == 200
    refused = await client.get("/rate_limit", headers={"authorization": "Bearer other"})
    assert refused.status_code == 401
