"""`GET /v1/status`: one answer to what is wrong, since when, how many, and what to do."""

from pathlib import Path

import pytest

from gateway.domain.deliveries.endpoint import USUAL
from gateway.ledger import wall_clock
from tests.stores import FileDatabase, NewDatabase
from tests.web.callers import SILENT, GatewayHarness, Json, beside, open_gateway

CALLBACK = "https://app.example/api/hook"
ERROR: Json = {"stage": "agent", "code": "model_auth", "message": "401", "retryable": False}


class Hands:
    """A clock that is set by hand, from now on."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead


async def status(gateway: GatewayHarness, scope: str = "ops") -> Json:
    answer = await gateway.get("/v1/status", scope)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def codes(found: Json) -> list[str]:
    return [problem["code"] for problem in found["problems"]]


async def test_nothing_is_wrong_in_a_quiet_installation(gateway: GatewayHarness) -> None:
    await gateway.launch()
    found = await status(gateway)
    assert (found["ok"], found["since"], found["problems"]) == (True, None, [])
    assert (found["strip"]["running"], found["strip"]["launchersLive"]) == (1, 1)


async def test_failures_are_grouped_by_cause_with_the_command(gateway: GatewayHarness) -> None:
    for _ in range(3):
        await gateway.create()
    jobs = await gateway.claim(capacity=3)
    for job in jobs:
        failed = {"type": "task.failed", "error": ERROR}
        await gateway.http.post(job["env"]["WEBHOOK_URL"], json=failed)
    newest = max(job["taskId"] for job in jobs)
    found = await status(gateway)
    assert codes(found) == ["model_auth"]
    (problem,) = found["problems"]
    assert (problem["code"], problem["count"]) == ("model_auth", 3)
    assert problem["example"] == newest
    assert problem["do"] == f"slipgate tasks explain {newest}"
    assert "model's provider" in problem["summary"]
    assert found["since"] == problem["since"]
    assert found["strip"]["endedLastHour"] == 3
    await gateway.post(f"/v1/tasks/{newest}/retry", None, "tasks")
    found = await status(gateway)
    (problem,) = (it for it in found["problems"] if it["code"] == "model_auth")
    assert (problem["count"], found["strip"]["endedLastHour"]) == (2, 2)
    assert problem["example"] == max(job["taskId"] for job in jobs if job["taskId"] != newest)


async def test_an_hour_later_a_failure_is_no_problem_of_now(database: NewDatabase) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        _, agent = await gateway.launch()
        await agent.emit("task.failed", "end", error=ERROR)
        clock.ahead = 3_601_000
        assert "model_auth" not in codes(await status(gateway))


async def test_tasks_without_a_launcher_are_one_problem(gateway: GatewayHarness) -> None:
    for _ in range(2):
        await gateway.create()
    (problem,) = (await status(gateway))["problems"]
    assert (problem["code"], problem["count"]) == ("no_launcher", 2)


async def test_a_project_counts_the_launchers_that_serve_all(gateway: GatewayHarness) -> None:
    await gateway.create()
    await gateway.claim("every launcher", capacity=0)
    found = await status(gateway, "read")
    assert (codes(found), found["strip"]["launchersLive"]) == ([], 1)


async def test_an_old_queue_is_told_though_launchers_call(database: NewDatabase) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        await gateway.create(timeouts={"queueSeconds": 86_400})
        clock.ahead = 400_000
        await gateway.claim(capacity=0)
        assert codes(await status(gateway)) == ["queue_old"]


async def test_flags_endpoints_and_deliveries_have_their_problems(
    gateway: GatewayHarness, database: NewDatabase
) -> None:
    assert "task.created" in USUAL
    await gateway.claim(capacity=0)
    await gateway.create(callbackUrl=CALLBACK)
    await beside(
        database,
        *SILENT,
        "UPDATE tasks SET claimable_at = NULL",
        "UPDATE deliveries SET status = 'dead', next_attempt_at = NULL",
        "UPDATE endpoints SET failing_since = 5",
    )
    found = await status(gateway)
    assert codes(found) == ["silent", "endpoint_failing", "deliveries_dead"]
    assert found["since"] == "1970-01-01T00:00:00.001Z"
    assert all(problem["do"].startswith("slipgate ") for problem in found["problems"])


@pytest.mark.parametrize(("scope", "count"), [("read", 1), ("ops", 1), ("other", 0)])
async def test_a_key_sees_the_problems_of_its_project(
    gateway: GatewayHarness, scope: str, count: int
) -> None:
    await gateway.create()
    answer = await gateway.get("/v1/status", scope)
    if scope == "other":
        assert answer.json()["problems"] == []
    assert len(answer.json()["problems"]) == count


async def test_a_full_disk_is_a_problem_of_the_installation_and_of_no_project(
    tmp_path: Path,
) -> None:
    database = FileDatabase(tmp_path / "slipgate.db")
    async with open_gateway(database, SLIPGATE_MIN_FREE_MIB="1048576") as gateway:
        (problem,) = (await status(gateway))["problems"]
        own = await status(gateway, "read")
    assert problem["code"] == "disk_low"
    assert "MiB left" in problem["summary"]
    assert own["ok"]
