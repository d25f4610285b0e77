"""Signed webhooks of agents: the order of checks, the dedupe, the fences."""

import time

import pytest

from tests.web.callers import GatewayHarness


async def test_the_first_event_is_applied_and_the_task_runs(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    answer = await agent.emit("task.started", "m1")
    assert answer.status_code == 202
    fields = answer.json()
    assert (fields["accepted"], fields["applied"], fields["cancel"]) == (True, True, False)
    assert fields["deadlineAt"]
    assert (await gateway.task(job["taskId"]))["status"] == "running"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.alike
async def test_a_missing_header_is_401(gateway: GatewayHarness, missing: str) -> None:
    _, agent = await gateway.launch()
    body = agent.body("task.heartbeat")
    headers = {key: text for key, text in agent.headers(body, "m1").items() if key != missing}
    response = await gateway.http.post("/v1/webhooks/agent", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "malformed_headers")


@pytest.mark.parametrize("skew", [-301, 601])
@pytest.mark.alike
async def test_a_clock_that_is_wrong_is_401(gateway: GatewayHarness, skew: int) -> None:
    _, agent = await gateway.launch()
    body = agent.body("task.heartbeat")
    response = await agent.send(body, "m1", at=int(time.time()) + skew)
    assert (response.status_code, response.json()["code"]) == (401, "timestamp_out_of_tolerance")


@pytest.mark.parametrize(
    ("behind", "changed"), [(b" ", {}), (b"", {"webhook-id": "m2"})], ids=["body", "id"]
)
@pytest.mark.alike
async def test_what_was_changed_after_the_signing_is_401(
    gateway: GatewayHarness, behind: bytes, changed: dict[str, str]
) -> None:
    _, agent = await gateway.launch()
    body = agent.body("task.heartbeat")
    headers = agent.headers(body, "m1") | changed
    response = await gateway.http.post("/v1/webhooks/agent", content=body + behind, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize("foreign", [{"attempt": 7}, {"taskId": "task_" + "0" * 26}], ids=str)
@pytest.mark.alike
async def test_an_unknown_attempt_is_404_before_its_signature_matters(
    gateway: GatewayHarness, foreign: dict[str, object]
) -> None:
    _, agent = await gateway.launch()
    body = agent.body("task.heartbeat", **foreign)
    response = await agent.send(body, "m1")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_task")


async def test_the_same_message_is_handled_once(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    body = agent.body("task.progress", stage="agent", message="turn 1")
    assert (await agent.send(body, "m1")).status_code == 202
    again = await agent.send(body, "m1")
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    other = await agent.emit("task.heartbeat", "m1")
    assert (other.status_code, other.json()["code"]) == (409, "webhook_id_reused")
    events = (await gateway.get(f"/v1/tasks/{job['taskId']}/events")).json()["data"]
    assert [event["type"] for event in events].count("task.progress") == 1


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("task.dance", {}, "unknown_event_type"),
        ("task.progress", {"stage": "x" * 41, "message": ""}, "invalid_request"),
        ("task.log", {"chunk": "x" * 70_000, "offset": 0}, "invalid_request"),
    ],
)
@pytest.mark.alike
async def test_a_wrong_event_is_422_and_not_stored(
    gateway: GatewayHarness, kind: str, fields: dict[str, object], code: str
) -> None:
    job, agent = await gateway.launch()
    before = (await gateway.task(job["taskId"]))["taskSeq"]
    response = await agent.emit(kind, "m1", **fields)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert (await gateway.task(job["taskId"]))["taskSeq"] == before


async def test_a_event_after_the_end_is_kept_but_not_applied(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="done")
    late = await agent.emit("task.progress", "m2", stage="push", message="late")
    assert (late.status_code, late.json()["code"]) == (410, "attempt_finished")
    events = (await gateway.get(f"/v1/tasks/{job['taskId']}/events")).json()["data"]
    (kept,) = [event for event in events if event["type"] == "task.progress"]
    assert (kept["applied"], kept["reason"]) == (False, "attempt_finished")


@pytest.mark.alike
async def test_a_terminal_event_is_not_refused_for_the_size_of_a_field(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    answer = await agent.emit("task.completed", "m1", summary="ok", patch="x" * 600_000)
    assert answer.status_code == 202
    assert "patch" in answer.json()["warnings"][0]
    assert (await gateway.task(job["taskId"]))["status"] == "completed"


async def test_a_cancel_is_told_in_the_next_answer(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m1")
    await gateway.post(f"/v1/tasks/{job['taskId']}/cancel")
    assert (await agent.emit("task.heartbeat", "m2")).json()["cancel"] is True
    error = {"stage": "agent", "code": "cancelled", "message": "told to", "retryable": False}
    await agent.emit("task.failed", "m3", error=error)
    assert (await gateway.task(job["taskId"]))["status"] == "cancelled"


async def test_log_and_patch_are_put_together_in_order(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.log", "m1", chunk="one\n", offset=0)
    await agent.emit("task.log", "m2", chunk="two\n", offset=4)
    missing = await gateway.get(f"/v1/tasks/{job['taskId']}/patch")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_patch")
    await agent.emit("task.patch", "m4", chunk="+b\n", offset=3)
    await agent.emit("task.patch", "m3", chunk="+a\n", offset=0)
    logs = (await gateway.get(f"/v1/tasks/{job['taskId']}/logs")).json()
    assert "".join(piece["chunk"] for piece in logs["data"]) == "one\ntwo\n"
    patch = await gateway.get(f"/v1/tasks/{job['taskId']}/patch")
    assert patch.headers["content-type"].startswith("text/x-diff")
    assert patch.text == "+a\n+b\n"


async def test_the_patch_of_an_attempt_that_was_retried_is_kept(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(maxAttempts=2)
    error = {"stage": "push", "code": "push_failed", "message": "x", "retryable": True}
    await agent.emit("task.failed", "m1", error=error, patch="+kept\n")
    assert (await gateway.task(job["taskId"]))["attempt"] == 2
    assert (await gateway.get(f"/v1/tasks/{job['taskId']}/patch")).text == "+kept\n"


async def test_unknown_fields_of_a_last_event_do_not_hide_its_patch(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", patch="+a\n", offset="x", chunk=5, word="y")
    assert (await gateway.get(f"/v1/tasks/{job['taskId']}/patch")).text == "+a\n"


@pytest.mark.alike
async def test_a_long_prompt_is_fetched_whole(gateway: GatewayHarness) -> None:
    prompt = "ä" * 30_000
    _, agent = await gateway.launch(prompt=prompt)
    assert agent.env["AGENT_PROMPT"] == "ä" * (16 * 1024)
    url = agent.env["SLIPGATE_PROMPT_URL"]
    whole = await gateway.http.get(url, headers=agent.headers(b"", "p1"))
    assert whole.json() == {"prompt": prompt}
    assert (await gateway.http.get(url)).status_code == 401
    forged = await gateway.http.get(url, headers=agent.headers(b"x", "p1"))
    assert forged.status_code == 401


async def test_the_capability_url_takes_flat_events(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    url = agent.env["WEBHOOK_URL"]
    flat = {"type": "task.progress", "taskId": "theirs", "status": "running", "message": "hello"}
    answer = await gateway.http.post(url, json=flat)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert (await gateway.task(job["taskId"]))["message"] == "hello"
    opened = {"type": "pr.created", "prUrl": "https://github.com/acme/widgets/pull/1"}
    assert (await gateway.http.post(url, json=opened)).status_code == 200
    assert (await gateway.task(job["taskId"]))["status"] == "running"
    await gateway.http.post(url, json={"type": "task.completed", "status": "success"})
    assert (await gateway.task(job["taskId"]))["status"] == "completed"
    assert (await gateway.http.post(url, json=flat)).status_code == 410


@pytest.mark.parametrize("token", ["1.x", "x", "1." + "A" * 43, "2." + "A" * 43])
@pytest.mark.alike
async def test_a_guessed_token_opens_nothing(gateway: GatewayHarness, token: str) -> None:
    job, _ = await gateway.launch()
    response = await gateway.http.post(f"/v1/hooks/{job['taskId']}/{token}", json={"type": "x"})
    assert response.status_code in {401, 404}


@pytest.mark.alike
async def test_a_token_that_differs_in_its_last_character_opens_nothing(
    gateway: GatewayHarness,
) -> None:
    _, agent = await gateway.launch()
    url = agent.env["WEBHOOK_URL"]
    wrong = url[:-1] + ("A" if url[-1] != "A" else "B")
    assert (await gateway.http.post(wrong, json={"type": "task.heartbeat"})).status_code == 401
