"""The launcher protocol: claims, leases, reports, and the words of a spool."""

import asyncio
import time
from typing import Final, cast

import pytest

from gateway.web.http.middleware import Application
from tests.web.callers import Agent, GatewayHarness, Json, line_of, sandbox_of

COMMITS: Final = "slipgate_ledger_commit_seconds_count "


async def test_a_create_job_is_complete(gateway: GatewayHarness) -> None:
    wanted = {
        "baseBranch": "main",
        "env": {"FEATURE_X": "1"},
        "validate": [["make", "test"]],
        "metadata": {"userId": "u_1", "issue": "https://github.com/acme/widgets/issues/12"},
        "agent": {"engine": "command", "command": ["claude", "-p"]},
    }
    task = await gateway.create(**wanted)
    (job,) = await gateway.claim()
    env = job["env"]
    assert env["TARGET_REPO"] == "https://github.com/acme/widgets"
    assert (env["BASE_BRANCH"], env["BRANCH_NAME"]) == ("main", f"slipgate/{task['id']}")
    assert (env["AGENT_PROMPT"], env["FEATURE_X"], env["KEEP_ALIVE"]) == (
        "Add /health",
        "1",
        "false",
    )
    assert env["SLIPGATE_WEBHOOK_URL"] == "https://gate.example/v1/webhooks/agent"
    assert env["WEBHOOK_URL"].startswith(f"https://gate.example/v1/hooks/{task['id']}/1.")
    assert env["SLIPGATE_ISSUES"] == "https://github.com/acme/widgets/issues/12"
    assert env["SLIPGATE_VALIDATE"] == '[["make","test"]]'
    assert '"command":["claude","-p"]' in env["SLIPGATE_AGENT"]
    assert (job["kind"], job["attempt"], job["taskId"]) == ("create", 1, task["id"])
    assert job["labels"]["slipgate-task"] == task["id"]
    assert job["sandbox"]["name"] == f"slipgate-{task['id'][-20:]}-1"
    assert await gateway.claim(launcherId="l2") == []


async def test_a_claim_does_not_ask_again_at_all_that_happens_to_others(
    gateway: GatewayHarness,
) -> None:
    async def keep_notifying() -> None:
        while True:
            cast("Application", gateway.app).context.notifier.notify(("jobs",))
            await asyncio.sleep(0.001)

    async def commits() -> int:
        text = (await gateway.get("/metrics", "read")).text
        (line,) = [row for row in text.splitlines() if row.startswith(COMMITS)]
        return int(float(line.removeprefix(COMMITS)))

    before, others = await commits(), asyncio.create_task(keep_notifying())
    assert await gateway.claim(waitSeconds=0.3) == []
    others.cancel()
    assert await commits() - before < 10


async def test_a_waiting_claim_gets_the_task_as_it_comes(gateway: GatewayHarness) -> None:
    waiting = asyncio.create_task(gateway.claim(waitSeconds=20))
    await asyncio.sleep(0)
    task = await gateway.create()
    (job,) = await waiting
    assert job["taskId"] == task["id"]


@pytest.mark.alike
async def test_an_old_lease_token_changes_nothing(gateway: GatewayHarness) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    stale = job | {"leaseToken": job["leaseToken"] + "0"}
    reports: list[tuple[str, Json]] = [
        ("renew", {}),
        ("created", {"sandbox": sandbox_of(job)}),
        ("done", {"sandbox": sandbox_of(job)}),
        ("failed", {"error": {"code": "x", "message": "x", "retryable": False}}),
    ]
    for verb, words in reports:
        response = await gateway.report(stale, verb, **words)
        assert (response.status_code, response.json()["code"]) == (409, "lease_lost"), verb
    assert (await gateway.task(job["taskId"]))["status"] == "launching"
    assert (await gateway.report(job, "renew")).json()["cancel"] is False


@pytest.mark.alike
async def test_a_job_that_is_not_there_is_404(gateway: GatewayHarness) -> None:
    ghost = {"id": "job_ghost", "leaseToken": "job_ghost.1"}
    response = await gateway.report(ghost, "renew")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_job")


async def test_reports_may_be_repeated(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch()
    again = await gateway.report(job, "done", sandbox=sandbox_of(job))
    assert again.status_code == 200
    assert (await gateway.task(job["taskId"]))["sandbox"]["id"] == sandbox_of(job)["id"]


@pytest.mark.alike
async def test_trying_says_until_when_a_sandbox_may_be_made(gateway: GatewayHarness) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    answer = (await gateway.try_sandbox(job)).json()
    assert (answer["create"], answer["createSeconds"]) == (True, 30)
    await Agent(http=gateway.http, env=job["env"]).emit("task.started", "m1")
    assert (await gateway.try_sandbox(job)).json()["create"] is False


async def test_a_permanent_failure_ends_the_task(gateway: GatewayHarness) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    error = {"code": "snapshot_not_found", "message": "no such snapshot", "retryable": False}
    await gateway.report(job, "failed", error=error)
    task = await gateway.task(job["taskId"])
    assert (task["status"], task["error"]["code"]) == ("failed", "snapshot_not_found")


async def test_the_end_of_a_task_brings_a_destroy_job(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="done")
    (job,) = await gateway.claim(capacity=0)
    assert (job["kind"], job["sandbox"]["id"].startswith("id-")) == ("destroy", True)
    assert "env" not in job
    await gateway.report(job, "done", sandbox=sandbox_of(job, "destroyed"))
    task = await gateway.task(job["taskId"])
    assert (task["status"], task["sandbox"]["state"]) == ("completed", "destroyed")


async def test_spooled_events_are_handled_before_the_report_is_judged(
    gateway: GatewayHarness,
) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    agent = Agent(http=gateway.http, env=job["env"])
    words = [
        ("m1", agent.body("task.started")),
        ("m2", agent.body("task.completed", summary="offline")),
    ]
    lines = [line_of(agent, name, body) for name, body in words]
    forged = lines[0] | {"id": "m0"}
    response = await gateway.report(
        job, "done", sandbox=sandbox_of(job), spool=[forged, *lines, lines[0]], spoolOffset=700
    )
    assert response.status_code == 200
    task = await gateway.task(job["taskId"])
    assert (task["status"], task["message"]) == ("completed", "offline")
    events = (await gateway.get(f"/v1/tasks/{job['taskId']}/events")).json()["data"]
    assert [event["type"] for event in events].count("task.started") == 1


@pytest.mark.alike
async def test_spooled_events_of_before_the_attempt_are_not_taken(gateway: GatewayHarness) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    agent = Agent(http=gateway.http, env=job["env"])
    body = agent.body("task.completed", summary="too old")
    line = line_of(agent, "m1", body, at=int(time.time()) - 60)
    await gateway.report(job, "done", sandbox=sandbox_of(job), spool=[line])
    assert (await gateway.task(job["taskId"]))["status"] == "running"


@pytest.mark.parametrize(("age", "status"), [(60, "completed"), (400, "running")])
@pytest.mark.alike
async def test_spooled_events_of_another_attempt_have_the_tolerance_of_any_webhook(
    gateway: GatewayHarness, age: int, status: str
) -> None:
    job, agent = await gateway.launch()
    await gateway.create()
    (other,) = await gateway.claim()
    await gateway.try_sandbox(other)
    body = agent.body("task.completed", summary="elsewhere")
    line = line_of(agent, "m1", body, at=int(time.time()) - age)
    answer = await gateway.report(other, "done", sandbox=sandbox_of(other), spool=[line])
    assert answer.status_code == 200
    assert (await gateway.task(job["taskId"]))["status"] == status


@pytest.mark.alike
async def test_under_a_lost_lease_no_spooled_event_is_taken(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    stale = job | {"leaseToken": job["leaseToken"] + "0"}
    line = line_of(agent, "m1", agent.body("task.completed", summary="x"))
    response = await gateway.report(stale, "done", sandbox=sandbox_of(job), spool=[line])
    assert (response.status_code, response.json()["code"]) == (409, "lease_lost")
    assert (await gateway.task(job["taskId"]))["status"] == "running"


@pytest.mark.parametrize(
    "until", ["soon", "2026-01-01T00:00:00", "2026-W01-1T00:00:00Z", "9999-12-31T23:59:59-23:59"]
)
@pytest.mark.alike
async def test_a_delegation_needs_a_moment(gateway: GatewayHarness, until: str) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    response = await gateway.report(job, "delegate", until=until, note="actions")
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == ["$.until"]
