"""Webhooks of Daytona: proven, known again, and a reason to look, never a judgement."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway
from tests.web.services import (
    OLD_SVIX,
    Daytona,
    changed,
    launch_in_daytona,
    open_gateway_with_services,
)

UNKNOWN = {"accepted": True, "applied": False, "reason": "unknown_sandbox"}


@pytest_asyncio.fixture
async def gateway(database: NewDatabase) -> AsyncIterator[GatewayHarness]:
    async with open_gateway_with_services(database) as opened:
        yield opened


@pytest.fixture
def daytona(gateway: GatewayHarness) -> Daytona:
    return Daytona(http=gateway.http)


async def _inspections(gateway: GatewayHarness) -> list[Json]:
    jobs = await gateway.claim(launcherId="l2", providers=["daytona-api@org"], capacity=0)
    return [job for job in jobs if job["kind"] == "inspect"]


@pytest.mark.parametrize("state", ["stopped", "error", "destroyed", "archiving", "some_new_state"])
@pytest.mark.alike
async def test_a_sandbox_that_may_have_ended_is_looked_at(
    gateway: GatewayHarness, daytona: Daytona, state: str
) -> None:
    job = await launch_in_daytona(gateway)
    answer = await daytona.notify(job["sandbox"]["id"], state)
    assert (answer.status_code, answer.json()) == (202, {"accepted": True, "applied": True})
    assert (await gateway.task(job["taskId"]))["status"] == "running"
    (inspection,) = await _inspections(gateway)
    assert inspection["sandbox"]["id"] == job["sandbox"]["id"]


async def test_what_the_look_finds_ends_the_task(gateway: GatewayHarness, daytona: Daytona) -> None:
    job = await launch_in_daytona(gateway)
    await daytona.notify(job["sandbox"]["id"], "stopped")
    (inspection,) = await _inspections(gateway)
    await gateway.report(inspection, "done", sandbox={**job["sandbox"], "state": "stopped"})
    task = await gateway.task(job["taskId"])
    assert (task["status"], task["error"]["code"]) == ("failed", "sandbox_stopped")


async def test_a_sandbox_that_is_well_is_left_alone(
    gateway: GatewayHarness, daytona: Daytona
) -> None:
    job = await launch_in_daytona(gateway)
    answer = await daytona.notify(job["sandbox"]["id"], "started")
    assert answer.json() == {"accepted": True, "applied": False, "reason": "nothing_to_do"}
    assert await _inspections(gateway) == []


@pytest.mark.parametrize(
    "body",
    [
        changed("sandbox-of-others", "stopped"),
        b'{"event":"sandbox.created","id":"sandbox-of-others","state":"started"}',
        b'{"event":"snapshot.removed","id":"s1"}',
        b'{"event":"volume.created"}',
        b'{"event":"sandbox.reborn"}',
    ],
    ids=["state", "created", "snapshot", "volume", "nameless"],
)
@pytest.mark.alike
async def test_what_is_not_ours_is_taken_and_not_applied(daytona: Daytona, body: bytes) -> None:
    answer = await daytona.send(body)
    assert (answer.status_code, answer.json()) == (202, UNKNOWN)


async def test_a_message_that_came_too_early_counts_when_it_comes_again(
    gateway: GatewayHarness, daytona: Daytona
) -> None:
    job = await launch_in_daytona(gateway)
    early = changed("unborn", "stopped")
    assert (await daytona.send(early, "msg_a")).json() == UNKNOWN
    body = changed(job["sandbox"]["id"], "stopped")
    assert (await daytona.send(body, "msg_b")).json()["applied"]
    assert (await daytona.send(early, "msg_a")).json() == UNKNOWN


async def test_the_destruction_of_a_sandbox_is_confirmed_sooner(
    gateway: GatewayHarness, daytona: Daytona
) -> None:
    job = await launch_in_daytona(gateway, keepSandbox=True)
    task_id, sandbox = job["taskId"], job["sandbox"]
    await daytona.notify(sandbox["id"], "error")
    (inspection,) = await _inspections(gateway)
    await gateway.report(inspection, "done", sandbox={**sandbox, "state": "error"})
    assert (await gateway.task(task_id))["status"] == "failed"
    assert (await daytona.notify(sandbox["id"], "stopped")).json()["reason"] == "nothing_to_do"
    assert await gateway.claim(providers=["daytona-api@org"], capacity=0) == []
    assert (await daytona.notify(sandbox["id"], "destroyed")).json()["applied"]
    (destroy,) = await gateway.claim(providers=["daytona-api@org"], capacity=0)
    await gateway.report(destroy, "done", sandbox={**sandbox, "state": "destroyed"})
    assert (await gateway.task(task_id))["sandbox"]["state"] == "destroyed"
    assert (await daytona.notify(sandbox["id"], "destroyed")).json()["reason"] == "nothing_to_do"


async def test_the_same_message_again_asks_for_nothing(
    gateway: GatewayHarness, daytona: Daytona
) -> None:
    job = await launch_in_daytona(gateway)
    body = changed(job["sandbox"]["id"], "stopped")
    assert (await daytona.send(body, "msg_a")).status_code == 202
    for name in ("msg_a", "msg_b"):  # a message of its own always has a moment of its own
        again = await daytona.send(body, name)
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert len(await _inspections(gateway)) == 1


async def test_the_same_id_with_another_body_is_refused_and_counted(
    gateway: GatewayHarness, daytona: Daytona
) -> None:
    job = await launch_in_daytona(gateway)
    assert (await daytona.send(changed(job["sandbox"]["id"], "stopped"), "msg_a")).is_success
    answer = await daytona.send(changed(job["sandbox"]["id"], "error"), "msg_a")
    assert answer.status_code == 409
    assert answer.json()["code"] == "webhook_id_reused"
    text = (await gateway.get("/metrics", "read")).text
    counted = 'slipgate_webhooks_refused_total{code="webhook_id_reused",source="daytona"} 1.0'
    assert counted in text


@pytest.mark.alike
async def test_the_names_of_the_standard_and_the_older_secret_are_good_too(
    gateway: GatewayHarness,
) -> None:
    daytona = Daytona(http=gateway.http, secret=OLD_SVIX)
    assert (await daytona.send(changed("x", "stopped"), prefix="webhook")).json() == UNKNOWN


@pytest.mark.parametrize("away", [-3_600, 3_600])
@pytest.mark.alike
async def test_what_was_signed_at_another_time_is_refused(daytona: Daytona, away: int) -> None:
    answer = await daytona.send(changed("x", "stopped"), at=int(time.time()) + away)
    assert (answer.status_code, answer.json()["code"]) == (401, "timestamp_out_of_tolerance")


@pytest.mark.alike
async def test_another_secret_proves_nothing(gateway: GatewayHarness) -> None:
    daytona = Daytona(http=gateway.http, secret=b"x" * 32)
    answer = await daytona.send(b"{")  # which is not looked at
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")


@pytest.mark.alike
async def test_without_headers_nothing_is_looked_at(gateway: GatewayHarness) -> None:
    answer = await gateway.http.post("/v1/webhooks/daytona", content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (401, "malformed_headers")


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "invalid_json"), (b"{}", "invalid_request"), (b'{"event":5}', "invalid_request")],
)
@pytest.mark.alike
async def test_an_authentic_body_of_another_shape_is_named(
    daytona: Daytona, body: bytes, code: str
) -> None:
    assert (await daytona.send(body)).json()["code"] == code


@pytest.mark.alike
async def test_a_body_is_bounded_while_it_is_read(daytona: Daytona) -> None:
    assert (await daytona.send(b" " * (1024 * 1024 + 1))).status_code == 413


@pytest.mark.alike
async def test_without_a_secret_there_is_no_such_route(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        for source in ("daytona", "github"):
            answer = await gateway.http.post(f"/v1/webhooks/{source}", content=b"{}")
            assert answer.status_code == 404
            assert "WEBHOOK_SECRETS" in answer.json()["hint"]
