"""A retry goes on with the work of an earlier attempt, and pays no agent again."""

import base64
import gzip

import httpx
import pytest

from gateway.ledger import wall_clock
from tests.stores import NewDatabase
from tests.web.callers import TASK, Agent, GatewayHarness, Json, open_gateway, sandbox_of

DIFF = '--- a/ü\n+++ b/ü\n@@ -1 +1 @@\n-old\n+"new"\\\n'
WITH_SECRET = DIFF + "+x\n" * 30 + f"+ghp_{'a1' * 18}\n"
BASE = "0123456789abcdef0123456789abcdef01234567"
FAILED: Json = {
    "error": {"stage": "push", "code": "push_failed", "message": "x", "retryable": True},
    "resumable": True,
}


async def send(agent: Agent, text: str = DIFF, **fields: object) -> None:
    """A patch in two compressed pieces."""
    whole = text.encode()
    cut = len(whole) // 2 + (whole[len(whole) // 2] & 0xC0 == 0x80)
    for start, part in ((0, whole[:cut]), (cut, whole[cut:])):
        chunk = base64.b64encode(gzip.compress(part)).decode()
        about = {"encoding": "gzip", "size": len(whole), "baseSha": BASE, **fields}
        answer = await agent.emit("task.patch", f"p{start}", offset=start, chunk=chunk, **about)
        assert answer.status_code == 202, answer.text


async def next_attempt(gateway: GatewayHarness, task_id: str) -> Agent:
    """The agent of the next attempt, once the sandbox of the one before is gone."""
    (destroy,) = await gateway.claim(capacity=0)
    gone = sandbox_of(destroy, "destroyed")
    assert (await gateway.report(destroy, "done", sandbox=gone)).status_code == 200
    (job,) = await gateway.claim()
    assert job["taskId"] == task_id
    return Agent(http=gateway.http, env=job["env"])


async def fetch(agent: Agent, name: str = "patch") -> httpx.Response:
    task_id, attempt = agent.env["SLIPGATE_TASK_ID"], agent.env["SLIPGATE_ATTEMPT"]
    url = f"/v1/agent/{name}?taskId={task_id}&attempt={attempt}"
    return await get_as_agent(agent, url)


async def get_as_agent(agent: Agent, url: str) -> httpx.Response:
    return await agent.http.get(url, headers=agent.headers(b"", "fetch"))


@pytest.mark.parametrize("by_hand", [False, True], ids=["automatic", "by hand"])
async def test_the_next_attempt_is_given_the_work_that_has_not_gone_out(
    gateway: GatewayHarness, *, by_hand: bool
) -> None:
    job, agent = await gateway.launch(maxAttempts=1 if by_hand else 2)
    assert "SLIPGATE_RESUME_URL" not in agent.env
    await send(agent, summary="Added it", warnings=["venv was left out"])
    if by_hand:
        refused: Json = {"resumable": True, "patch": DIFF, "summary": "It was refused."}
        await agent.emit("task.needs_review", "m1", **refused)
        assert (await gateway.post(f"/v1/tasks/{job['taskId']}/retry")).status_code == 202
    else:
        await agent.emit("task.failed", "m1", **FAILED)
    again = await next_attempt(gateway, job["taskId"])
    given = await get_as_agent(again, again.env["SLIPGATE_RESUME_URL"])
    assert given.status_code == 200
    assert given.json() == {
        "attempt": 1,
        "baseSha": BASE,
        "summary": "Added it",
        "warnings": ["venv was left out"],
        "patch": DIFF,
    }


@pytest.mark.parametrize(
    ("sent", "last"),
    [
        pytest.param({"partial": True}, FAILED, id="interrupted"),
        pytest.param({"size": 1_000}, FAILED, id="with a hole"),
        pytest.param({}, FAILED | {"resumable": False}, id="that has gone out"),
        pytest.param({"text": WITH_SECRET}, FAILED, id="that is redacted"),
    ],
)
@pytest.mark.alike
async def test_work_that_is_not_whole_is_not_gone_on_with(
    gateway: GatewayHarness, sent: Json, last: Json
) -> None:
    job, agent = await gateway.launch(maxAttempts=2)
    await send(agent, **sent)
    await agent.emit("task.failed", "m1", **last)
    again = await next_attempt(gateway, job["taskId"])
    assert "SLIPGATE_RESUME_URL" not in again.env
    refused = await fetch(again)
    assert (refused.status_code, refused.json()["code"]) == (404, "no_patch")


async def test_a_short_patch_may_come_with_the_last_event_alone(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(maxAttempts=2)
    await agent.emit("task.failed", "m1", **FAILED, patch=DIFF, summary="Added it")
    again = await next_attempt(gateway, job["taskId"])
    given = (await fetch(again)).json()
    assert (given["patch"], given["baseSha"], given["summary"]) == (DIFF, None, "Added it")


@pytest.mark.parametrize("name", ["prompt", "patch"])
@pytest.mark.alike
async def test_the_key_of_an_ended_attempt_reads_nothing_any_more(
    gateway: GatewayHarness, name: str
) -> None:
    job, agent = await gateway.launch(maxAttempts=2)
    assert (await fetch(agent, "prompt")).status_code == 200
    await send(agent)
    await agent.emit("task.failed", "m1", **FAILED)
    refused = await fetch(agent, name)
    assert (refused.status_code, refused.json()["code"]) == (410, "attempt_finished")
    assert (await fetch(await next_attempt(gateway, job["taskId"]), name)).status_code == 200


async def test_where_no_sandbox_reaches_the_gateway_nobody_is_sent_there(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, SLIPGATE_PUBLIC_URL="") as gateway:
        job, agent = await gateway.launch(maxAttempts=2)
        await send(agent)
        await agent.emit("task.failed", "m1", **FAILED)
        again = await next_attempt(gateway, job["taskId"])
        assert "SLIPGATE_RESUME_URL" not in again.env


@pytest.mark.parametrize("prompt", ["Add /health", "Add /metrics"])
async def test_a_frontend_that_asks_for_something_else_gets_it(
    database: NewDatabase, prompt: str
) -> None:
    clock = [wall_clock()]
    async with open_gateway(
        database, clock=lambda: clock[0], SLIPGATE_WORKSPACE_WAIT_SECONDS="0"
    ) as gateway:
        await open_workspace(gateway, "Add /health")
        (job,) = await gateway.claim()
        await gateway.try_sandbox(job)
        await gateway.report(job, "done", sandbox=sandbox_of(job))
        agent = Agent(http=gateway.http, env=job["env"])
        await agent.emit("task.failed", "m1", **FAILED, patch=DIFF)
        clock[0] += 60_000
        await open_workspace(gateway, prompt)
        again = await next_attempt(gateway, job["taskId"])
        assert again.env["AGENT_PROMPT"] == prompt
        assert ("SLIPGATE_RESUME_URL" in again.env) is (prompt == "Add /health")


async def open_workspace(gateway: GatewayHarness, prompt: str) -> None:
    env = {"AGENT_PROMPT": prompt, "TASK_ID": "k1"}
    opened = await gateway.post("/workspace", {"repoUrl": TASK["repoUrl"], "env": env})
    assert opened.status_code == 200, opened.text
