"""`GET /v1/tasks/{id}/explain`, as an operator reads it."""

import re

import pytest

from tests.stores import NewDatabase
from tests.web.callers import PROVIDER, GatewayHarness, Json, line_of, open_gateway, sandbox_of

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def _explained(gateway: GatewayHarness, task_id: str, scope: str = "tasks") -> Json:
    response = await gateway.get(f"/v1/tasks/{task_id}/explain", scope)
    assert response.status_code == 200, response.text
    explained: Json = response.json()
    return explained


@pytest.mark.alike
async def test_it_has_a_sentence_what_is_next_and_evidence(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    explained = await _explained(gateway, task["id"])
    assert list(explained) == ["status", "summary", "waitingFor", "next", "evidence"]
    assert explained["status"] == "queued"
    assert explained["summary"].startswith("queued since ")
    assert "no launcher has called since the gateway started " in explained["summary"]
    assert explained["waitingFor"] == "a launcher"
    assert [step["what"] for step in explained["next"]][-1].startswith("queue clock: expired")
    assert all(RFC3339.fullmatch(step["at"]) for step in explained["next"])
    assert explained["evidence"][-1].startswith("event 1 task.created ")


@pytest.mark.alike
async def test_a_full_launcher_is_named(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    await gateway.claim(capacity=0)
    explained = await _explained(gateway, task["id"])
    assert explained["waitingFor"] == "room at l1"


@pytest.mark.parametrize("scope", ["tasks", "read", "ops"])
@pytest.mark.alike
async def test_whoever_may_read_a_task_may_have_it_explained(
    gateway: GatewayHarness, scope: str
) -> None:
    task = await gateway.create()
    assert (await _explained(gateway, task["id"], scope))["status"] == "queued"


@pytest.mark.parametrize(
    ("scope", "status", "code"), [("launcher", 403, "forbidden"), ("other", 404, "not_found")]
)
@pytest.mark.alike
async def test_nobody_else_may(gateway: GatewayHarness, scope: str, status: int, code: str) -> None:
    task = await gateway.create()
    response = await gateway.get(f"/v1/tasks/{task['id']}/explain", scope)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize("name", ["task_nonsense", "task_01m3250v00e008000000000007"])
@pytest.mark.alike
async def test_a_task_that_is_not_there_is_not_explained(
    gateway: GatewayHarness, name: str
) -> None:
    assert (await gateway.get(f"/v1/tasks/{name}/explain")).status_code == 404


async def test_the_holder_of_its_concurrency_key_is_named(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch(concurrencyKey="acme/widgets")
    waiting = await gateway.create(concurrencyKey="acme/widgets")
    explained = await _explained(gateway, waiting["id"])
    assert explained["waitingFor"] == f"{job['taskId']} to end"
    assert f"task {job['taskId']} holds concurrency key acme/widgets" in explained["evidence"]


async def test_the_launch_in_hand_is_explained(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    await gateway.report(job, "created", sandbox=sandbox_of(job, "creating"))
    explained = await _explained(gateway, task["id"])
    assert f"l1 has created {job['sandbox']['name']} at {PROVIDER}" in explained["summary"]
    assert f"job {job['id']} held by l1 until " in "\n".join(explained["evidence"])


@pytest.mark.alike
async def test_what_the_agent_reports_is_explained(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.progress", "m1", stage="agent", message="turn 7 of 60")
    explained = await _explained(gateway, job["taskId"])
    assert "its agent is in stage agent: “turn 7 of 60”" in explained["summary"]
    assert explained["waitingFor"] == "its agent to finish"
    assert explained["next"][-1]["what"] == "run clock: inspected, then timed_out"


@pytest.mark.alike
async def test_without_a_public_address_events_come_from_the_spool(database: NewDatabase) -> None:
    async with open_gateway(database, SLIPGATE_PUBLIC_URL="") as gateway:
        job, _ = await gateway.launch()
        explained = await _explained(gateway, job["taskId"])
        assert "its events are read from its spool" in explained["summary"]


@pytest.mark.alike
async def test_an_agent_that_cannot_reach_the_gateway_is_explained(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(timeouts={"heartbeatSeconds": 1})
    (inspect,) = await gateway.claim(capacity=0, waitSeconds=20)
    bodies = [
        agent.body("task.progress", stage="agent", message=f"turn {turn} of 60")
        for turn in (7, 8, 9)
    ]
    spool = [line_of(agent, f"m{number}", body) for number, body in enumerate(bodies)]
    done = await gateway.report(inspect, "done", sandbox=sandbox_of(job), spool=spool)
    assert done.status_code == 200, done.text
    explained = await _explained(gateway, job["taskId"])
    assert (
        "its sandbox is alive; its agent cannot reach the gateway; "
        "3 events were read from its spool; at " in explained["summary"]
    )
    assert explained["waitingFor"] == "its agent to reach the gateway"


@pytest.mark.alike
async def test_an_end_is_explained_with_advice_clean_up_and_retry(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(env={"FEATURE_X": "s3cret"})
    error = {"stage": "agent", "code": "model_auth", "message": "401: no.", "retryable": False}
    await agent.emit("task.failed", "m1", error=error)
    explained = await _explained(gateway, job["taskId"])
    assert "model_auth in agent: 401: no; what helps: give the launcher" in explained["summary"]
    assert "l1 is asked to destroy its sandbox and has not begun" in explained["summary"]
    assert explained["waitingFor"] == "the sandbox of attempt 1 to be gone"
    assert explained["next"][-1]["what"] == "its env is erased: it cannot be retried any more"
    assert "s3cret" not in str(explained)


async def test_a_callback_that_is_pending_is_explained_without_its_secret(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch(callbackUrl="https://app.example/hook?token=s3cret")
    await agent.emit("task.completed", "m1", summary="done")
    explained = await _explained(gateway, job["taskId"])
    assert "webhook" in explained["summary"]
    assert any(line.startswith("webhook of event ") for line in explained["evidence"])
    assert "s3cret" not in str(explained)
