"""`/v1/switches`: what is paused is refused, waits or is held, and goes on as if nothing was."""

import asyncio
from typing import Final

import httpx
import msgspec
import pytest

from gateway.ledger import wall_clock
from tests.stores import NewDatabase
from tests.web import services
from tests.web.callers import TASK, GatewayHarness, Json, open_gateway, sandbox_of
from tests.web.test_disabling import comes, opens

WORKSPACE: Final[Json] = {**TASK, "env": {"AGENT_PROMPT": "x", "TASK_ID": "k1"}}


async def change(gateway: GatewayHarness, **wanted: object) -> list[Json]:
    body = {"reason": "maintenance", **wanted}
    answer = await gateway.send("PUT", "/v1/switches", body, "ops")
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


async def codes(gateway: GatewayHarness) -> list[str]:
    problems: list[Json] = (await gateway.get("/v1/status", "ops")).json()["problems"]
    return [problem["code"] for problem in problems]


async def test_switches_say_since_when_by_whom_why_and_until_when(gateway: GatewayHarness) -> None:
    until = "2099-01-01T00:00:00.000Z"
    await change(gateway, launching="paused", until=until)
    data = await change(gateway, delivering="paused", project="a team")
    assert [(one["name"], one["state"], one["project"]) for one in data] == [
        ("intake", "on", None),
        ("launching", "paused", None),
        ("delivering", "on", None),
        ("delivering", "paused", "a team"),
    ]
    paused = data[1]
    assert (paused["until"], paused["reason"], paused["actor"]) == (
        until,
        "maintenance",
        "key:key_3",
    )
    others = await gateway.get("/v1/switches?project=others", "ops")
    assert others.json()["data"] == data[:3]
    assert set(await codes(gateway)) == {"launching_paused", "delivering_paused"}
    (entry, *_) = (await gateway.get("/v1/audit", "ops")).json()["data"]
    assert (entry["action"], entry["target"], entry["project"], entry["actor"]) == (
        *("switch.paused", "delivering", "a team", "key:key_3"),
    )
    data = await change(gateway, launching="on", delivering="on")
    assert [one["state"] for one in data] == ["on", "on", "on", "paused"]
    assert await codes(gateway) == ["delivering_paused"]


@pytest.mark.alike
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"reason": "x"}, "$"),
        ({"intake": "paused"}, "$.reason"),
        ({"intake": "off", "reason": "x"}, "$.intake"),
        ({"intake": "paused", "reason": ""}, "$.reason"),
        ({"intake": "paused", "reason": "x", "until": "2020-01-01T00:00:00Z"}, "$.until"),
        ({"intake": "on", "reason": "x", "until": "2099-01-01T00:00:00Z"}, "$.until"),
        ({"intake": "paused", "reason": "x", "project": ""}, "$.project"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    gateway: GatewayHarness, body: Json, path: str
) -> None:
    refused = await gateway.send("PUT", "/v1/switches", body, "ops")
    assert refused.status_code == 422
    assert path in {error["path"] for error in refused.json()["errors"]}


@pytest.mark.alike
async def test_a_read_key_may_not_look(gateway: GatewayHarness) -> None:
    assert (await gateway.get("/v1/switches", "read")).status_code == 403


async def test_paused_intake_takes_nothing_new_and_answers_what_it_has(
    gateway: GatewayHarness, database: NewDatabase
) -> None:
    first = await gateway.post("/v1/tasks", TASK, idempotency_key="i1")
    made = await gateway.post("/workspace", WORKSPACE)
    await change(gateway, intake="paused")
    refused = await gateway.post("/v1/tasks", TASK, idempotency_key="i2")
    assert (refused.status_code, refused.json()["code"]) == (503, "intake_paused")
    assert refused.headers["retry-after"] == "60"
    assert "maintenance" in refused.json()["detail"]
    new = {**WORKSPACE, "env": {"AGENT_PROMPT": "x", "TASK_ID": "k2"}}
    refused = await gateway.post("/workspace", new)
    assert (refused.status_code, "maintenance" in refused.json()["message"]) == (503, True)
    again = await gateway.post("/v1/tasks", TASK, idempotency_key="i1")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (await gateway.post("/workspace", WORKSPACE)).json()["id"] == made.json()["id"]
    await change(gateway, intake="on")
    assert (await gateway.post("/v1/tasks", TASK, idempotency_key="i2")).status_code == 202
    assert (await gateway.post("/workspace", new)).status_code == 200
    assert database.problems() == ()


async def test_a_workspace_that_failed_keeps_its_env_while_intake_is_paused(
    gateway: GatewayHarness, database: NewDatabase
) -> None:
    task = (await gateway.post("/workspace", WORKSPACE)).json()["id"]
    (job,) = await gateway.claim()
    error = {"code": "provider_auth", "message": "401", "retryable": False}
    await gateway.report(job, "failed", error=error)
    await change(gateway, intake="paused")
    refused = await gateway.post("/workspace", {**WORKSPACE, "env": {**WORKSPACE["env"], "B": "2"}})
    assert refused.json()["code"] == "intake_paused"
    assert (await gateway.task(task))["attempt"] == 1
    assert database.problems() == ()


async def test_github_may_send_a_follow_up_again_that_was_refused(database: NewDatabase) -> None:
    async with services.open_gateway_with_services(database, follow_ups="check") as gateway:
        github = services.GitHub(http=gateway.http)
        _, agent = await gateway.launch()
        await agent.emit("task.completed", "m1", summary="ok", prUrl=services.PULL)
        await change(gateway, intake="paused")
        body = services.failed_check()
        refused = await github.send(body, "d1", event="check_run")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        await change(gateway, intake="on")
        taken = await github.send(body, "d1", event="check_run")
        assert (taken.status_code, taken.json()["applied"]) == (202, True)


async def test_a_waiting_launcher_gets_the_task_as_soon_as_launching_is_resumed(
    gateway: GatewayHarness,
) -> None:
    await change(gateway, launching="paused")
    task = await gateway.create()
    assert await gateway.claim() == []
    told = (await gateway.get(f"/v1/tasks/{task['id']}/explain", "read")).json()
    assert "launching is paused for all projects" in told["summary"]
    assert "by key:key_3: maintenance" in told["summary"]
    assert told["waitingFor"] == "ops to resume launching"
    assert await codes(gateway) == ["launching_paused"]
    waiting = asyncio.create_task(gateway.claim(waitSeconds=30))
    await change(gateway, launching="on")
    (job,) = await waiting
    assert job["taskId"] == task["id"]


async def test_a_pause_of_one_project_holds_up_no_other(gateway: GatewayHarness) -> None:
    await gateway.create("other")
    own = await gateway.create()
    await change(gateway, launching="paused", project="elsewhere")
    (job,) = await gateway.claim("every launcher", capacity=1)
    assert job["taskId"] == own["id"]
    assert await gateway.claim("every launcher", capacity=1) == []


async def test_a_pause_outlasts_a_restart_and_ends_by_the_clock(database: NewDatabase) -> None:
    ahead = 0

    def clock() -> int:
        return wall_clock() + ahead

    until = "2099-01-01T00:00:00Z"
    async with open_gateway(database, clock=clock) as gateway:
        await change(gateway, intake="paused", launching="paused", until=until)
        await gateway.post("/v1/tasks", TASK)
    async with open_gateway(database, clock=clock) as gateway:
        assert set(await codes(gateway)) == {"intake_paused", "launching_paused"}
        ahead = 100 * 365 * 86_400_000
        assert await codes(gateway) == []
        await gateway.create()
        assert len(await gateway.claim()) == 1


class Receiver:
    """Keeps what came, in its order."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        event = msgspec.json.decode(await request.aread())["data"]["event"]
        await self.got.put((event["taskId"], event["taskSeq"]))
        return httpx.Response(204, stream=httpx.ByteStream(b""))


async def test_held_webhooks_go_out_in_their_order_without_a_counted_attempt(
    database: NewDatabase,
) -> None:
    receiver = Receiver()
    async with open_gateway(database, receivers=httpx.MockTransport(receiver)) as gateway:
        endpoint = await opens(gateway, "https://app.example/hook")
        await change(gateway, delivering="paused")
        job, agent = await gateway.launch()
        await agent.emit("task.started", "m1")
        await agent.emit("task.completed", "m2", summary="ok")
        path = f"/v1/deliveries?endpointId={endpoint}"
        held = (await gateway.get(path, "ops")).json()["data"]
        assert {(one["status"], len(one["attempts"])) for one in held} == {("pending", 0)}
        told = (await gateway.get(f"/v1/tasks/{job['taskId']}/explain", "read")).json()
        assert "delivering is paused" in told["summary"]
        assert receiver.got.empty()
        await change(gateway, delivering="on")
        async with asyncio.timeout(30):
            got = [await receiver.got.get() for _ in held]
        assert [seq for _, seq in got] == sorted(seq for _, seq in got)
        await comes(gateway, path, lambda page: all(each["attempts"] for each in page["data"]))
        done = (await gateway.get(path, "ops")).json()["data"]
        assert {(one["status"], len(one["attempts"])) for one in done} == {("delivered", 1)}


async def test_a_pause_that_was_there_at_the_start_holds_webhooks(database: NewDatabase) -> None:
    receiver = Receiver()
    async with open_gateway(database) as gateway:
        await opens(gateway, "https://app.example/hook")
        await change(gateway, delivering="paused", project="default")
        await gateway.create()
    async with open_gateway(database, receivers=httpx.MockTransport(receiver)) as gateway:
        await gateway.post(
            "/v1/endpoints", {"url": "https://ops.example/x", "project": "elsewhere"}, "ops"
        )
        other = await gateway.create("other")
        async with asyncio.timeout(30):
            assert (await receiver.got.get())[0] == other["id"]
        assert receiver.got.empty()
        await change(gateway, delivering="on", project="default")
        async with asyncio.timeout(30):
            assert (await receiver.got.get())[0] != other["id"]


async def test_a_launcher_is_drained_resumed_and_revoked(gateway: GatewayHarness) -> None:
    async def decide(verb: str) -> Json:
        path, reason = f"/v1/launchers/l1/{verb}", {"reason": "new kernel"}
        answer = await gateway.post(path, reason, scope="ops")
        assert answer.status_code == 200, answer.text
        view: Json = answer.json()
        return view

    job, _ = await gateway.launch()
    shown = await decide("drain")
    assert (shown["mode"], shown["modeReason"], shown["modeActor"]) == (
        *("drained", "new kernel", "key:key_3"),
    )
    task = await gateway.create()
    assert await gateway.claim() == []
    told = (await gateway.get(f"/v1/tasks/{task['id']}/explain", "read")).json()
    assert told["waitingFor"] == "ops to resume l1"
    assert (await gateway.get("/v1/status", "ops")).json()["strip"]["launchersLive"] == 0
    assert (await decide("resume"))["mode"] == "working"
    (again,) = await gateway.claim()
    assert again["taskId"] == task["id"]
    assert (await decide("revoke"))["jobs"] == []
    lost = await gateway.report(again, "done", sandbox=sandbox_of(again))
    assert (lost.status_code, lost.json()["code"]) == (409, "lease_lost")
    claim = {"launcherId": "l1", "providers": ["local@here"], "capacity": 1}
    refused = await gateway.post("/v1/launcher/claim", claim, scope="launcher")
    assert (refused.status_code, refused.json()["code"]) == (403, "launcher_revoked")
    (taken,) = await gateway.claim("second launcher", launcherId="l2")
    assert (taken["taskId"], taken["taskId"] != job["taskId"]) == (task["id"], True)
