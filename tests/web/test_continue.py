"""A task that goes on with the branch and the pull request of an ended one."""

import json
from typing import Final

import pytest

from tests.stores import NewDatabase
from tests.web.callers import TASK, GatewayHarness, Json, sandbox_of

SHA = "0123456789abcdef0123456789abcdef01234567"
PULL = "https://github.com/acme/widgets/pull/7"
DONE: Json = {"summary": "Added the route.", "validation": [], "commitSha": SHA, "prUrl": PULL}


async def ended(gateway: GatewayHarness, **wanted: object) -> str:
    """A completed task whose sandbox is gone."""
    job, agent = await gateway.launch(**wanted)
    branch = agent.env["BRANCH_NAME"]
    await agent.emit("task.completed", "end", branchName=branch, **DONE)
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    return str(job["taskId"])


async def test_a_continuation_gets_the_branch_the_pull_request_and_the_history(
    gateway: GatewayHarness,
) -> None:
    first = await ended(gateway, branchName="feature/health", baseBranch="dev")
    answer = await gateway.post("/v1/tasks", {"continueOf": first, "prompt": "Use JSON"})
    assert answer.status_code == 202, answer.text
    task = answer.json()
    assert task["continueOf"] == first
    assert task["repoUrl"] == TASK["repoUrl"]
    assert (task["branchName"], task["baseBranch"]) == ("feature/health", "dev")
    assert task["prompt"] == "Use JSON"
    (job,) = await gateway.claim()
    env = job["env"]
    assert (env["BRANCH_NAME"], env["BASE_BRANCH"]) == ("feature/health", "dev")
    assert json.loads(env["SLIPGATE_CONTINUE"]) == {
        "branch": "feature/health",
        "prUrl": PULL,
        "headSha": SHA,
        "requestedBy": None,
    }
    prompt = env["AGENT_PROMPT"]
    parts = (TASK["prompt"], "Added the route.", "Asked now:\nUse JSON")
    places = [prompt.index(str(part)) for part in parts]
    assert places == sorted(places)


async def test_continuations_of_one_branch_run_one_after_another(gateway: GatewayHarness) -> None:
    first = await ended(gateway)
    for prompt in ("one", "two"):
        body = {"continueOf": first, "prompt": prompt}
        assert (await gateway.post("/v1/tasks", body)).status_code == 202
    assert len(await gateway.claim(capacity=2)) == 1


@pytest.mark.parametrize("key", [None, "k1"], ids=["keyless", "keyed"])
async def test_a_retry_waits_for_the_continuation_that_has_the_branch(
    gateway: GatewayHarness, database: NewDatabase, key: str | None
) -> None:
    first = await ended(gateway, concurrencyKey=key)
    body = {"continueOf": first, "prompt": "More"}
    continuation = (await gateway.post("/v1/tasks", body)).json()
    assert (await gateway.post(f"/v1/tasks/{first}/retry")).status_code == 202
    (job,) = await gateway.claim(capacity=2)
    assert job["taskId"] in {first, continuation["id"]}
    assert await gateway.claim(capacity=2, holding=[job["id"]]) == []
    assert database.problems() == ()


async def test_a_task_that_has_not_ended_cannot_be_continued(gateway: GatewayHarness) -> None:
    running = await gateway.create()
    answer = await gateway.post("/v1/tasks", {"continueOf": running["id"], "prompt": "More"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_finished")


CONTRADICTIONS: Final[tuple[tuple[Json, str], ...]] = (
    ({"repoUrl": "https://github.com/acme/gadgets"}, "$.repoUrl"),
    ({"branchName": "another"}, "$.branchName"),
    ({"baseBranch": "another"}, "$.baseBranch"),
    ({"continueOf": "task_01k5yb2z7cfkh9dk5qjw9m3x4r"}, "$.continueOf"),
    ({"continueOf": "nonsense"}, "$.continueOf"),
    ({"continueOf": None}, "$.repoUrl"),
)


@pytest.mark.alike
async def test_a_continuation_that_contradicts_its_task_names_the_field(
    gateway: GatewayHarness,
) -> None:
    first = await ended(gateway)
    for fields, path in CONTRADICTIONS:
        body = {"continueOf": first, "prompt": "More"} | fields
        answer = await gateway.post("/v1/tasks", body)
        assert answer.status_code == 422, answer.text
        assert [error["path"] for error in answer.json()["errors"]] == [path]


async def test_another_projects_task_cannot_be_continued(gateway: GatewayHarness) -> None:
    first = await ended(gateway)
    body = {"continueOf": first, "prompt": "More"}
    answer = await gateway.post("/v1/tasks", body, scope="other")
    assert answer.status_code == 422
