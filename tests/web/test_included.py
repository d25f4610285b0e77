"""`include`: a task with its attempts and the deliveries of its events."""

import pytest

from tests.web.callers import GatewayHarness, Json, sandbox_of

USAGE = {"inputTokens": 5, "outputTokens": 2, "costUsd": 0.5, "turns": 1}
ERROR = {"stage": "agent", "code": "no_model", "message": "no key", "retryable": True}


async def shown(gateway: GatewayHarness, task_id: str, include: str) -> Json:
    response = await gateway.get(f"/v1/tasks/{task_id}?include={include}")
    assert response.status_code == 200, response.text
    task: Json = response.json()
    return task


async def test_nothing_is_included_unasked(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    assert {"attempts", "deliveries"}.isdisjoint(await gateway.task(task["id"]))
    assert "deliveries" not in await shown(gateway, task["id"], "attempts")
    whole = await shown(gateway, task["id"], "attempts,deliveries")
    assert (len(whole["attempts"]), whole["deliveries"]) == (1, [])


async def test_an_attempt_that_nobody_has_taken_is_shown_as_it_will_be_kept(
    gateway: GatewayHarness,
) -> None:
    task = await gateway.create()
    (waiting,) = (await shown(gateway, task["id"], "attempts"))["attempts"]
    assert waiting == {
        "number": 1,
        "status": "queued",
        "provider": None,
        "realm": None,
        "sandbox": None,
        "openedAt": task["createdAt"],
        "claimedAt": None,
        "startedAt": None,
        "endedAt": None,
        "launches": 0,
        "usage": {"inputTokens": 0, "outputTokens": 0, "costUsd": 0.0, "turns": 0},
        "error": None,
    }
    await gateway.claim()
    (claimed,) = (await shown(gateway, task["id"], "attempts"))["attempts"]
    assert claimed["claimedAt"] is not None
    assert claimed | {"claimedAt": None, "launches": 0, "status": "queued"} == waiting


async def test_every_attempt_keeps_its_own_end(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(maxAttempts=2)
    await agent.emit("task.usage", "m1", **USAGE)
    (running,) = (await shown(gateway, job["taskId"], "attempts"))["attempts"]
    assert (running["status"], running["usage"]) == ("running", USAGE)
    assert (running["provider"], running["realm"]) == ("local", "here")
    assert running["sandbox"]["id"] == sandbox_of(job)["id"]
    assert running["startedAt"] is not None
    await agent.emit("task.failed", "m2", error=ERROR)
    first, second = (await shown(gateway, job["taskId"], "attempts"))["attempts"]
    assert (first["status"], first["error"], first["usage"]) == ("failed", ERROR, USAGE)
    assert first["endedAt"] >= first["startedAt"]
    assert (second["number"], second["status"], second["endedAt"]) == (2, "queued", None)
    assert second["openedAt"] >= first["endedAt"]
    assert second["usage"]["turns"] == 0


async def test_every_event_owes_a_delivery_to_the_callback(gateway: GatewayHarness) -> None:
    task = await gateway.create(callbackUrl="https://app.example/hook")
    await gateway.post(f"/v1/tasks/{task['id']}/cancel")
    events = (await gateway.get(f"/v1/tasks/{task['id']}/events")).json()["data"]
    deliveries = (await shown(gateway, task["id"], "deliveries"))["deliveries"]
    assert [(each["eventId"], each["type"]) for each in deliveries] == [
        (event["id"], event["type"]) for event in events
    ]
    assert {each["taskId"] for each in deliveries} == {task["id"]}
    assert len({each["id"] for each in deliveries}) == len(deliveries)
    for each in deliveries:
        assert (each["status"], each["nextAttemptAt"] is None) == ("pending", False)
        assert {attempt["status"] for attempt in each["attempts"]} <= {None}


@pytest.mark.alike
@pytest.mark.parametrize("include", ["", "events", "attempts,", "attempts&include=deliveries"])
async def test_what_cannot_be_included_is_refused(gateway: GatewayHarness, include: str) -> None:
    task = await gateway.create()
    response = await gateway.get(f"/v1/tasks/{task['id']}?include={include}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["path"] == "?include"


@pytest.mark.alike
async def test_a_browser_sees_attempts_and_no_deliveries(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    path = f"/v1/tasks/{task['id']}"
    token = (await gateway.post(f"{path}/stream-token")).json()["token"]
    attempts = await gateway.http.get(f"{path}?include=attempts&token={token}")
    assert (attempts.status_code, len(attempts.json()["attempts"])) == (200, 1)
    both = await gateway.http.get(f"{path}?include=attempts,deliveries&token={token}")
    assert (both.status_code, both.json()["code"]) == (403, "forbidden")
