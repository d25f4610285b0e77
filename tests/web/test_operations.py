"""Operator routes: launchers with their last call, and the reconciler's dry run."""

import asyncio
from typing import Final

import pytest

from gateway.domain.tasks.retention import KEPT
from gateway.ledger import wall_clock
from tests.e2e.database import rows
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway, sandbox_of, write_locked

BUSY_MS: Final = 50
PULSES: Final = "SELECT pulse_at FROM ledger WHERE pulse_at IS NOT NULL"


class Hands:
    """A clock that is set by hand, from now on."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead


async def rehearsed(gateway: GatewayHarness, query: str = "") -> Json:
    response = await gateway.get(f"/v1/reconcile{query}", scope="ops")
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def test_a_launcher_is_listed_with_its_realms_and_what_it_holds(
    gateway: GatewayHarness,
) -> None:
    await gateway.create()
    (job,) = await gateway.claim(
        launcherId="l1", providers=["local@here", "docker"], capacity=3, version="0.1.0"
    )
    await gateway.claim(launcherId="l2", capacity=0)
    listed = (await gateway.get("/v1/launchers", scope="ops")).json()
    assert [launcher["id"] for launcher in listed["data"]] == ["l2", "l1"]
    assert listed["nextCursor"] is None
    first = listed["data"][1]
    assert first["providers"] == ["local@here", "docker"]
    assert (first["capacity"], first["version"], first["live"]) == (3, "0.1.0", True)
    assert [(held["id"], held["kind"]) for held in first["jobs"]] == [(job["id"], "create")]
    assert first["jobs"][0]["taskId"] == job["taskId"]


async def test_a_launcher_that_has_not_called_for_a_minute_is_not_live(
    database: NewDatabase,
) -> None:
    clock = Hands()
    async with open_gateway(database, clock=clock) as gateway:
        await gateway.claim()
        clock.ahead = 61_000
        (launcher,) = (await gateway.get("/v1/launchers", scope="ops")).json()["data"]
        assert launcher["live"] is False
    assert clock.ahead < KEPT


async def test_launchers_come_in_pages(gateway: GatewayHarness) -> None:
    for number in range(5):
        await gateway.claim(launcherId=f"l{number}", capacity=0)
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await gateway.get(f"/v1/launchers?limit=2{cursor}", scope="ops")).json()
        seen += [launcher["id"] for launcher in page["data"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == ["l4", "l3", "l2", "l1", "l0"]
    assert cursor == "&cursor=None"


@pytest.mark.alike
async def test_a_cursor_of_another_list_is_refused(gateway: GatewayHarness) -> None:
    for _ in range(2):
        await gateway.create()
    cursor = (await gateway.get("/v1/tasks?limit=1")).json()["nextCursor"]
    refused = await gateway.get(f"/v1/launchers?cursor={cursor}", scope="ops")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.alike
@pytest.mark.parametrize("path", ["/v1/launchers", "/v1/reconcile"])
@pytest.mark.parametrize("scope", ["tasks", "read", "launcher"])
async def test_only_ops_may_look(gateway: GatewayHarness, path: str, scope: str) -> None:
    assert (await gateway.get(path, scope=scope)).status_code == 403


async def test_what_is_due_is_told_with_what_would_come_of_it_and_nothing_is_done(
    database: NewDatabase,
) -> None:
    clock = Hands()
    async with open_gateway(database, busy_ms=BUSY_MS, clock=clock) as gateway:
        queued = await gateway.create(timeouts={"queueSeconds": 5})
        async with write_locked(database):
            clock.ahead = 6_000
            found = await rehearsed(gateway)
            (step,) = found["data"]
            assert (step["taskId"], step["jobId"]) == (queued["id"], None)
            assert [clock["what"] for clock in step["due"]] == ["queue"]
            assert (step["status"], step["nextStatus"]) == ("queued", "expired")
            assert [event["type"] for event in step["events"]] == ["task.expired"]
            assert (step["nextDeadline"], found["isWhole"]) == (None, True)
            assert (await gateway.task(queued["id"]))["status"] == "queued"
            events = (await gateway.get(f"/v1/tasks/{queued['id']}/events")).json()["data"]
            assert [event["type"] for event in events] == ["task.created"]


async def test_a_lease_that_ran_out_is_told_as_such(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        await gateway.create()
        (job,) = await gateway.claim()
        now_due = (await rehearsed(gateway))["data"]
        assert not any(step["jobId"] or step["taskId"] for step in now_due)
        found = await rehearsed(gateway, "?within=120")
        lease = next(step for step in found["data"] if step["jobId"] == job["id"])
        assert [clock["what"] for clock in lease["due"]] == ["lease"]
        assert [(it["id"], it["state"]) for it in lease["jobs"]] == [(job["id"], "open")]
        assert (await gateway.report(job, "renew")).status_code == 200


async def test_the_silence_of_an_agent_is_foreseen(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(timeouts={"heartbeatSeconds": 600})
    await agent.emit("task.started", "m1")
    found = await rehearsed(gateway, "?within=700")
    step = next(step for step in found["data"] if step["taskId"] == job["taskId"])
    assert [event["type"] for event in step["events"]] == ["task.stalled"]
    assert step["events"][0]["data"]["code"] == "silent"
    assert [it["kind"] for it in step["jobs"]] == ["inspect"]
    assert step["nextDeadline"]["what"] == "progress"
    assert found["nextDueAt"] < found["at"]
    assert sandbox_of(job)["id"] == (await gateway.task(job["taskId"]))["sandbox"]["id"]


async def test_a_realm_that_falls_silent_is_foreseen_with_the_tasks_it_strands(
    gateway: GatewayHarness,
) -> None:
    job, _ = await gateway.launch()
    found = await rehearsed(gateway, "?within=120")
    realm = next(step for step in found["data"] if step["realm"])
    assert (realm["realm"], realm["taskId"], realm["jobId"]) == ("local@here", None, None)
    assert [clock["what"] for clock in realm["due"]] == ["realm"]
    told = [(event["taskId"], event["data"]["code"]) for event in realm["events"]]
    assert told == [(job["taskId"], "realm_missing")]


async def test_after_an_outage_what_came_due_meanwhile_would_be_moved(
    database: NewDatabase,
) -> None:
    clock = Hands()
    async with open_gateway(database, busy_ms=BUSY_MS, clock=clock) as gateway:
        await gateway.create(timeouts={"queueSeconds": 5})
        while not await asyncio.to_thread(rows, database.location, PULSES):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with write_locked(database):
            clock.ahead = 20_000
            found = await rehearsed(gateway)
            assert found["outageSince"] is not None
            (step,) = found["data"]
            assert [clock["what"] for clock in step["due"]] == ["queue"]
            assert (step["nextStatus"], step["events"]) == ("queued", [])
            assert step["nextDeadline"]["at"] > found["at"]


async def test_more_than_the_limit_is_said_to_be_more(gateway: GatewayHarness) -> None:
    for _ in range(3):
        await gateway.create()
    found = await rehearsed(gateway, "?within=3600&limit=2")
    assert (len(found["data"]), found["isWhole"]) == (2, False)
