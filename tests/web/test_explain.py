"""`GET /v1/tasks/{id}/explain`, as an operator reads it."""

import re
from pathlib import Path

import pytest

from tests.web.callers import PROVIDER, GatewayHarness, Json, line_of, open_gateway, sandbox_of

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def _explained(gateway: GatewayHarness, task_id: str, scope: str = "tasks") -> Json:
    response = await gateway.get(f"/v1/tasks/{task_id}/explain", scope)
    assert response.status_code == 200, response.text
    told: Json = response.json()
    return told


async def test_it_has_a_sentence_what_is_next_and_evidence(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    told = await _explained(gateway, task["id"])
    assert list(told) == ["status", "summary", "waitingFor", "next", "evidence"]
    assert told["status"] == "queued"
    assert told["summary"].startswith("queued since ")
    assert "no launcher has called since the gateway started " in told["summary"]
    assert told["waitingFor"] == "a launcher"
    assert [step["what"] for step in told["next"]][-1].startswith("queue clock: expired")
    assert all(RFC3339.fullmatch(step["at"]) for step in told["next"])
    assert told["evidence"][-1].startswith("event 1 task.created ")


async def test_a_full_launcher_is_named(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    await gateway.claim(capacity=0)
    told = await _explained(gateway, task["id"])
    assert told["waitingFor"] == "room at l1"


@pytest.mark.parametrize("scope", ["tasks", "read", "ops"])
async def test_whoever_may_read_a_task_may_have_it_explained(
    gateway: GatewayHarness, scope: str
) -> None:
    task = await gateway.create()
    assert (await _explained(gateway, task["id"], scope))["status"] == "queued"


@pytest.mark.parametrize(
    ("scope", "status", "code"), [("launcher", 403, "forbidden"), ("other", 404, "not_found")]
)
async def test_nobody_else_may(gateway: GatewayHarness, scope: str, status: int, code: str) -> None:
    task = await gateway.create()
    response = await gateway.get(f"/v1/tasks/{task['id']}/explain", scope)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize("name", ["task_nonsense", "task_01m3250v00e008000000000007"])
async def test_a_task_that_is_not_there_is_not_explained(
    gateway: GatewayHarness, name: str
) -> None:
    assert (await gateway.get(f"/v1/tasks/{name}/explain")).status_code == 404


async def test_the_holder_of_its_concurrency_key_is_named(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch(concurrencyKey="acme/widgets")
    waiting = await gateway.create(concurrencyKey="acme/widgets")
    told = await _explained(gateway, waiting["id"])
    assert told["waitingFor"] == f"{job['taskId']} to end"
    assert f"task {job['taskId']} holds concurrency key acme/widgets" in told["evidence"]


async def test_the_launch_in_hand_is_told(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    await gateway.report(job, "created", sandbox=sandbox_of(job, "creating"))
    told = await _explained(gateway, task["id"])
    assert f"l1 has created {job['sandbox']['name']} at {PROVIDER}" in told["summary"]
    assert f"job {job['id']} held by l1 until " in "\n".join(told["evidence"])


async def test_what_the_agent_says_is_told(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.progress", "m1", stage="agent", message="turn 7 of 60")
    told = await _explained(gateway, job["taskId"])
    assert "its agent is in stage agent: “turn 7 of 60”" in told["summary"]
    assert told["waitingFor"] == "its agent to finish"
    assert told["next"][-1]["what"] == "run clock: inspected, then timed_out"


async def test_without_a_public_address_words_come_from_the_spool(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, SLIPGATE_PUBLIC_URL="") as gateway:
        job, _ = await gateway.launch()
        told = await _explained(gateway, job["taskId"])
        assert "its words are read from its spool" in told["summary"]


async def test_an_agent_that_cannot_reach_the_gateway_is_told(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(timeouts={"heartbeatSeconds": 1})
    (inspect,) = await gateway.claim(capacity=0, waitSeconds=20)
    bodies = [
        agent.body("task.progress", stage="agent", message=f"turn {turn} of 60")
        for turn in (7, 8, 9)
    ]
    spool = [line_of(agent, f"m{number}", body) for number, body in enumerate(bodies)]
    done = await gateway.report(inspect, "done", sandbox=sandbox_of(job), spool=spool)
    assert done.status_code == 200, done.text
    told = await _explained(gateway, job["taskId"])
    assert (
        "its sandbox is alive; its agent cannot reach the gateway; "
        "3 events were read from its spool; at " in told["summary"]
    )
    assert told["waitingFor"] == "its agent to reach the gateway"


async def test_an_end_is_told_with_advice_clean_up_and_retry(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(env={"FEATURE_X": "s3cret"})
    error = {"stage": "agent", "code": "model_auth", "message": "401: no.", "retryable": False}
    await agent.emit("task.failed", "m1", error=error)
    told = await _explained(gateway, job["taskId"])
    assert "model_auth in agent: 401: no; what helps: give the launcher" in told["summary"]
    assert "l1 is asked to destroy its sandbox and has not begun" in told["summary"]
    assert told["waitingFor"] == "the sandbox of attempt 1 to be gone"
    assert told["next"][-1]["what"] == "its env is erased: it cannot be retried any more"
    assert "s3cret" not in str(told)


async def test_a_callback_that_is_owed_is_told_without_its_secret(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(callbackUrl="https://app.example/hook?token=s3cret")
    await agent.emit("task.completed", "m1", summary="done")
    told = await _explained(gateway, job["taskId"])
    assert "webhook" in told["summary"]
    assert any(line.startswith("webhook of event ") for line in told["evidence"])
    assert "s3cret" not in str(told)
