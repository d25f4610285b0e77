"""Every answer that the OpenAPI document promises has been given, and held against it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.tasks.stream_token import stream_token
from gateway.web.http.body import MIB
from gateway.web.http.operation import Operation
from gateway.web.openapi.document import method_of, operation_of
from gateway.web.openapi.paths import shown_path
from gateway.web.routes import ROUTES
from tests.stores import FileDatabase, NewDatabase
from tests.web import services
from tests.web.callers import (
    PROVIDER,
    SCOPES,
    TASK,
    Agent,
    GatewayHarness,
    Json,
    beside,
    open_gateway,
    sandbox_of,
)
from tests.web.contract import Seen, documented
from tests.web.own_event_requests import ask_about_own_events

NOT_AT_WILL: Final = {
    "headers_too_large",
    "internal",
    "unavailable",
    "read_only",
    "database_replaced",
    "rate_limited",
    "too_many_open",
    "launcher_too_old",
}
"""Errors that only a bug, a broken store, a flood, a gateway of a later version or one that parses
HTTP itself causes."""
SIGNED_READS: Final = ("prompt", "patch", "github-token")
STREAM: Final = "text/event-stream"
"""Has no end, so that a client that reads whole answers never gets one; see `test_events`."""
PIECE: Final[Json] = {
    "offset": 0,
    "chunk": "+a\n",
    "size": 3,
    "partial": True,
    "baseSha": "a" * 40,
}
ENDED: Final[Json] = {"instanceId": "?", "provider": "local", "realm": "here", "name": "x"}
ERROR: Final[Json] = {"code": "busy", "message": "x", "retryable": True}
DRY: Final[Json] = {"dryRun": True}
NOBODY: Final = "task_0" + "0" * 25


async def test_every_documented_answer_is_given(tmp_path: Path, database: NewDatabase) -> None:
    async with open_gateway(
        database,
        SLIPGATE_ALLOWED_REPOS="https://github.com/acme/*",
        SLIPGATE_WORKSPACE_WAIT_SECONDS="0",
        SLIPGATE_DAYTONA_WEBHOOK_SECRETS=services.DAYTONA_SECRETS,
        SLIPGATE_GITHUB_WEBHOOK_SECRETS=services.GITHUB_SECRETS,
    ) as gateway:
        await _succeed(gateway)
        await _reach(gateway, database)
        await _offend_frontends(gateway)
        await _offend_agents(gateway)
        await _offend_launchers(gateway)
        await _act_in_bulk(gateway, database)
        await ask_about_own_events(gateway)
        await _serve(gateway)
        await _offend_all(gateway)
    seen = gateway.contract.seen | await _seen_without_services(
        FileDatabase(tmp_path / "without.db")
    )
    seen |= await _seen_while_a_launch_fails(FileDatabase(tmp_path / "waiting.db"))
    seen |= await _seen_while_intake_is_paused(FileDatabase(tmp_path / "paused.db"))
    missing = documented() - seen
    assert {
        (name, status, mark)
        for name, status, mark in missing
        if mark not in NOT_AT_WILL and mark != STREAM
    } == set()


async def _seen_without_services(database: NewDatabase) -> set[Seen]:
    """Of a gateway that shares no secret with them."""
    async with open_gateway(database) as gateway:
        for name in ("daytona", "github"):
            await gateway.http.post(f"/v1/webhooks/{name}", content=b"{}")
        return gateway.contract.seen


async def _seen_while_a_launch_fails(database: NewDatabase) -> set[Seen]:
    """Of a gateway whose frontend waits for its sandbox."""
    async with open_gateway(database, SLIPGATE_WORKSPACE_WAIT_SECONDS="30") as gateway:
        wanted: Json = {**TASK, "env": {"AGENT_PROMPT": "x", "TASK_ID": "k1"}}
        asking = asyncio.create_task(gateway.post("/workspace", wanted))
        (job,) = await gateway.claim(waitSeconds=20)
        await gateway.report(job, "failed", error=ERROR | {"retryable": False})
        await asking
        return gateway.contract.seen


async def _seen_while_intake_is_paused(database: NewDatabase) -> set[Seen]:
    """Of a gateway that takes no new work."""
    async with services.open_gateway_with_services(database, follow_ups="check") as gateway:
        job, agent = await gateway.launch()
        await agent.emit("task.completed", "m1", summary="ok", prUrl=services.PULL)
        paused = {"intake": "paused", "reason": "maintenance"}
        await gateway.send("PUT", "/v1/switches", paused, "ops")
        await gateway.post("/v1/tasks", TASK)
        await gateway.post("/workspace", {**TASK, "env": {"AGENT_PROMPT": "x"}})
        await gateway.post(f"/v1/tasks/{job['taskId']}/retry")
        github = services.GitHub(http=gateway.http)
        await github.send(services.failed_check(), event="check_run")
        return gateway.contract.seen


async def _succeed(gateway: GatewayHarness) -> None:
    """A task from its creation to its end, its launcher and its agent."""
    job, agent = await _launched(gateway)
    path = f"/v1/tasks/{job['taskId']}"
    await agent.emit("task.started", "m1", scriptDigest="d", snapshot="s")
    await agent.emit("task.started", "m1", scriptDigest="d", snapshot="s")
    await agent.emit("task.log", "m2", chunk="hello\n", offset=0)
    await agent.emit("task.trajectory", "m4", chunk="{}", offset=0)
    await gateway.http.get(
        f"/v1/agent/prompt?taskId={job['taskId']}", headers=agent.headers(b"", "p1")
    )
    await gateway.http.post(agent.env["WEBHOOK_URL"], json={"type": "task.heartbeat"})
    await gateway.post(f"{path}/cancel", DRY)
    await gateway.post(f"{path}/cancel")
    await agent.emit("task.completed", "m3", summary="ok", patch="+a\n")
    await gateway.post(f"{path}/attempts/1/release", {"reason": "gone"}, scope="ops")
    await gateway.post(f"{path}/retry", DRY)
    await gateway.post(f"{path}/retry")
    for read in ("", "/events", "/logs", "/patch", "/receipts", "/trajectory", "/explain"):
        await gateway.get(path + read)
    await gateway.get(f"{path}/logs", accept="text/plain")
    await gateway.post(f"{path}/stream-token")
    for read in (
        "/v1/tasks",
        "/v1/events",
        "/v1/status",
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ):
        await gateway.get(read, "read")
    for read in ("/docs", "/docs/reference", "/docs/none", "/client.ts"):
        await gateway.http.get(read)
    await _work_in_a_workspace(gateway)
    await _endpoint_of(gateway)
    await _launcher_of(gateway)
    await gateway.post("/v1/sweeps", scope="ops")
    claim = {"launcherId": "l1", "providers": [PROVIDER], "capacity": 0}
    await gateway.post("/v1/launcher/claim", claim, scope="second launcher")
    for read in ("/v1/launchers", "/v1/reconcile", "/v1/sweeps", "/v1/switches"):
        await gateway.get(read, "ops")
    await _keys_of(gateway)
    await _decide_about_launchers(gateway)
    await gateway.send("PUT", "/v1/switches", {"intake": "on", "reason": "over"}, "ops")


async def _keys_of(gateway: GatewayHarness) -> None:
    """A key from its creation to its end, and the changes that were noted."""
    await gateway.post("/v1/keys", {"scope": "read", "name": "x"} | DRY, "ops")
    made = (await gateway.post("/v1/keys", {"scope": "read", "name": "x"}, "ops")).json()
    await gateway.post(f"/v1/keys/{made['id']}/revoke", scope="ops")
    for read in ("keys", "audit"):
        for query in ("", "?cursor=x"):
            await gateway.get(f"/v1/{read}{query}", "ops")
    own = SCOPES.index("ops")
    await gateway.post(f"/v1/keys/key_{own}/revoke", scope="ops")


async def _decide_about_launchers(gateway: GatewayHarness) -> None:
    claim: Json = {"launcherId": "l9", "providers": [PROVIDER], "capacity": 0}
    await gateway.post("/v1/launcher/claim", claim, scope="launcher")
    for verb in ("drain", "resume", "revoke"):
        for name in ("l9", "nobody"):
            path = f"/v1/launchers/{name}/{verb}"
            await gateway.post(path, {"reason": "maintenance"}, scope="ops")
    await gateway.post("/v1/launcher/claim", claim, scope="launcher")
    name = (await gateway.get("/v1/launcher", "launcher")).json()["instanceId"]
    ended = {"launcherId": "l9", "sandboxes": [ENDED | {"instanceId": name}]}
    await gateway.post("/v1/launcher/ended", ended, scope="launcher")


async def _work_in_a_workspace(gateway: GatewayHarness) -> None:
    """As today's frontend does."""
    wanted: Json = {**TASK, "env": {"AGENT_PROMPT": "x", "TASK_ID": "k1"}}
    made = (await gateway.post("/workspace", wanted)).json()
    for method in ("GET", "DELETE"):
        headers = gateway.bearer("tasks")
        for name in (made["id"], NOBODY):
            await gateway.http.request(method, f"/workspace/{name}", headers=headers)
    for name in (made["id"], NOBODY):
        await gateway.post(f"/workspace/{name}/stop")
    for query in ("", "?limit=0", "?cursor=x"):
        await gateway.get(f"/workspace{query}")
    for wrong in ({"branch": "else"}, {"env": {"AGENT_PROMPT": "x", "PATH": "/x"}}):
        await gateway.post("/workspace", wanted | wrong)
    await gateway.post("/workspace", wanted | {"repoUrl": "https://github.com/else/x"})
    made = (
        await gateway.post("/workspace", {**TASK, "env": {"AGENT_PROMPT": "x", "TASK_ID": "k2"}})
    ).json()
    job = await _claimed(gateway, made["id"])
    await gateway.report(job, "failed", error=ERROR | {"retryable": False})
    await gateway.post("/workspace", {**TASK, "env": {"AGENT_PROMPT": "x", "TASK_ID": "k2"}})


async def _endpoint_of(gateway: GatewayHarness) -> None:
    """An endpoint from its creation to its end, and what it was owed."""
    wanted: Json = {"url": "https://app.example/hook", "eventTypes": ["task.created"]}
    await gateway.post("/v1/endpoints", wanted | DRY, "ops")
    for key in ("e1", "e1", "k" * 256):
        await gateway.post("/v1/endpoints", wanted, "ops", idempotency_key=key)
    await gateway.post("/v1/endpoints", wanted | {"description": "x"}, "ops", idempotency_key="e1")
    endpoint = (await gateway.get("/v1/endpoints", "ops")).json()["data"][0]["id"]
    path = f"/v1/endpoints/{endpoint}"
    task = await gateway.create()
    (pending,) = (await gateway.get(f"/v1/deliveries?taskId={task['id']}", "ops")).json()["data"]
    since: Json = {"since": "2026-01-01T00:00:00Z"}
    await gateway.post(f"{path}/replay", since, "ops", idempotency_key="r")
    replay = (await gateway.post(f"{path}/replay", since, "ops", idempotency_key="r")).json()
    await gateway.post(f"{path}/replay", since | {"dryRun": True}, "ops", idempotency_key="r")
    await gateway.post(f"{path}/replay", since, "ops", idempotency_key="k" * 256)
    await gateway.get(f"/v1/replays/{replay['id']}", "ops")
    await gateway.get(f"/v1/deliveries/{pending['id']}", "ops")
    await gateway.post(f"/v1/deliveries/{pending['id']}/retry", DRY, "ops")
    await gateway.post(f"/v1/deliveries/{pending['id']}/retry", scope="ops")
    for key in ("s", "s", "k" * 256, *map(str, range(10))):
        await gateway.post(f"{path}/rotate-secret", {}, "ops", idempotency_key=key)
    await gateway.post(f"{path}/rotate-secret", {"overlapSeconds": 1}, "ops", idempotency_key="s")
    await gateway.post(f"{path}/test", scope="ops")
    await gateway.get(path, "ops")
    await gateway.send("PATCH", path, {"description": "mine"}, "ops")
    await gateway.post(f"{path}/disable", scope="ops")
    await gateway.post(f"{path}/replay", since, "ops")
    await gateway.post(f"/v1/deliveries/{pending['id']}/retry", scope="ops")
    await gateway.post(f"{path}/enable", {"backlog": "dead"}, "ops")
    await gateway.send("DELETE", path, None, "ops")
    await _offend_endpoints(gateway, pending["id"], path)


async def _offend_endpoints(gateway: GatewayHarness, delivery: str, gone: str) -> None:
    await gateway.create(callbackUrl="https://app.example/hook")
    listed = (await gateway.get("/v1/endpoints", "ops")).json()["data"]
    (implicit,) = [each["id"] for each in listed if each["implicit"]]
    await gateway.send("PATCH", f"/v1/endpoints/{implicit}", {"url": "https://a.example"}, "ops")
    await gateway.send("DELETE", f"/v1/endpoints/{implicit}", None, "ops")
    await gateway.post(f"/v1/endpoints/{implicit}/test", scope="ops")
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        await gateway.send(method, gone, body, "ops")
    for verb in ("enable", "disable", "rotate-secret", "test"):
        await gateway.post(f"{gone}/{verb}", scope="ops")
    await gateway.post(f"{gone}/replay", {"since": "2026-01-01T00:00:00Z"}, "ops")
    await gateway.post(f"/v1/deliveries/{delivery}/retry", scope="ops")
    for path in ("replays/rpl_0", "deliveries/dlv_0-1", "endpoints?cursor=x", "endpoints?limit=0"):
        await gateway.get(f"/v1/{path}", "ops")
    for query in ("cursor=x", "status=lost"):
        await gateway.get(f"/v1/deliveries?{query}", "ops")


async def _launched(gateway: GatewayHarness, **wanted: object) -> tuple[Json, Agent]:
    """A task whose sandbox is up, whatever else there is to do."""
    task = await gateway.create(**wanted)
    job = await _claimed(gateway, task["id"])
    await gateway.try_sandbox(job)
    await gateway.report(job, "done", sandbox=sandbox_of(job))
    return job, Agent(http=gateway.http, env=job["env"])


async def _claimed(gateway: GatewayHarness, task_id: str) -> Json:
    jobs = await gateway.claim(capacity=200)
    (job,) = [job for job in jobs if job.get("taskId") == task_id and job["kind"] == "create"]
    return job


async def _launcher_of(gateway: GatewayHarness) -> None:
    """The reports that a launch that goes well does not need."""
    task = await gateway.create()
    job = await _claimed(gateway, task["id"])
    await gateway.report(job, "renew")
    await gateway.report(job, "created", sandbox=sandbox_of(job))
    await gateway.report(job, "delegate", until="2030-01-01T00:00:00Z", note="actions")
    (job,) = await gateway.claim(jobId=job["id"], capacity=1)
    await gateway.report(job, "failed", error=ERROR)


async def _reach(gateway: GatewayHarness, database: NewDatabase) -> None:
    """A task whose env is gone."""
    job, agent = await _launched(gateway, env={"A": "1"})
    path = f"/v1/tasks/{job['taskId']}"
    await gateway.post(f"{path}/retry")
    await agent.emit("task.completed", "m1", summary="ok")
    await gateway.get(f"{path}/patch")
    await beside(
        database,
        "UPDATE task_secrets SET env = NULL, env_erased_at = 1",
        "INSERT INTO pruned (project, seq) VALUES ('default', 1)",
    )
    await gateway.get("/v1/events?after=0")
    await gateway.post(f"{path}/retry")
    await gateway.post(f"{path}/cancel")


async def _offend_frontends(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    for name in ("cancel", "retry"):
        await gateway.post(f"/v1/tasks/{NOBODY}/{name}")
        await gateway.post(f"/v1/tasks/{task['id']}/{name}", idempotency_key="k" * 256)
    for read in ("", "/events", "/logs", "/patch", "/receipts", "/trajectory", "/explain"):
        await gateway.get(f"/v1/tasks/{NOBODY}{read}")
        for token in ("x", stream_token(Keyring({"k1": b"m" * 32}), task["id"], 1)):
            await gateway.http.get(f"/v1/tasks/{task['id']}{read}?token={token}")
    await gateway.get(f"/v1/tasks/{task['id']}/trajectory")
    await gateway.post(f"/v1/tasks/{NOBODY}/stream-token")
    await gateway.get("/v1/tasks?cursor=x")
    for query in ("cursor=x", "limit=0"):
        await gateway.get(f"/v1/launchers?{query}", "ops")
    for task_id in (NOBODY, task["id"]):
        released = f"/v1/tasks/{task_id}/attempts/1/release"
        await gateway.post(released, {"reason": "gone"}, scope="ops")
    await gateway.post("/v1/tasks", TASK, idempotency_key="k" * 256)
    await gateway.post("/v1/tasks", TASK, idempotency_key="k")
    await gateway.post("/v1/tasks", TASK | {"priority": 1}, idempotency_key="k")
    await gateway.post("/v1/tasks", TASK | {"env": {"PATH": "/x"}})
    await gateway.post("/v1/tasks", TASK | {"repoUrl": "https://github.com/else/x"})
    await gateway.post("/v1/tasks", TASK | {"continueOf": task["id"]})


async def _offend_agents(gateway: GatewayHarness) -> None:
    job, agent = await _launched(gateway)
    await agent.emit("task.patch", "p1", offset=3, chunk="+b")
    far = {"offset": 200 * MIB, "chunk": "+b"}
    await agent.emit("task.patch", "p2", **far)
    await gateway.http.post(agent.env["WEBHOOK_URL"], json={"type": "task.patch", **far})
    await gateway.get(f"/v1/tasks/{job['taskId']}/patch")
    task_id, url = job["taskId"], agent.env["WEBHOOK_URL"]
    hook = url.rpartition("/")[0]
    await agent.emit("task.heartbeat", "m1", taskId=NOBODY)
    await agent.send(agent.body("task.heartbeat"), "m1", at=1)
    await agent.emit("task.dance", "m1")
    await agent.emit("task.heartbeat", "m1")
    await agent.emit("task.heartbeat", "m1", more=1)
    await _speak_unsigned(gateway, agent)
    for token in ("9.x", f"1.{'A' * 43}"):
        await gateway.http.post(f"{hook}/{token}", json={"type": "task.heartbeat"})
    for event in ({"type": "task.dance"}, {"type": "task.heartbeat", "id": "h1"}):
        await gateway.http.post(url, json=event)
    await gateway.http.post(url, json={"type": "task.heartbeat", "id": "h1", "more": 1})
    for query, body, at in ((NOBODY, b"", None), (task_id, b"x", None), (task_id, b"", 1)):
        headers = agent.headers(body, "p1", at=at)
        for name in SIGNED_READS:
            await gateway.http.get(f"/v1/agent/{name}?taskId={query}", headers=headers)
    await gateway.http.get(f"/v1/agent/patch?taskId={task_id}", headers=agent.headers(b"", "p8"))
    await _resume(gateway)
    await _renew_token(gateway, agent)
    await agent.emit("task.completed", "m9", summary="ok")
    for name in SIGNED_READS:
        asked = f"/v1/agent/{name}?taskId={task_id}"
        await gateway.http.get(asked, headers=agent.headers(b"", "p9"))
    for name in ("late", "stale"):
        await agent.emit("task.heartbeat", name)
        await gateway.http.post(url, json={"type": "task.heartbeat"})
        await gateway.post(f"/v1/tasks/{task_id}/retry")


async def _renew_token(gateway: GatewayHarness, agent: Agent) -> None:
    headers, path = agent.headers(b"", "t1"), "/v1/launcher/token-requests"
    url = f"/v1/agent/github-token?taskId={agent.env['SLIPGATE_TASK_ID']}"
    await gateway.http.get(url, headers=headers)
    await gateway.claim(launcherId="l8", capacity=0)
    wanted = {"launcherId": "l8", "waitSeconds": 0}
    await gateway.post(path, wanted, scope="launcher")
    asking = asyncio.create_task(gateway.http.get(url, headers=headers))
    claimed = await gateway.post(path, wanted | {"waitSeconds": 30}, scope="launcher")
    (request,) = claimed.json()["requests"]
    answer = {"token": "ghs_new", "expiresAt": "2030-01-01T00:00:00Z"}
    for verb in ("revoke", "resume"):
        await gateway.post(f"/v1/launchers/l8/{verb}", {"reason": "x"}, scope="ops")
        await gateway.post(path, wanted, scope="launcher")
        await gateway.post(f"{path}/{request['id']}", answer, scope="launcher")
    assert (await asking).json()["token"] == "ghs_new"
    await gateway.post(f"{path}/{request['id']}", answer, scope="launcher")


async def _resume(gateway: GatewayHarness) -> None:
    job, agent = await _launched(gateway, maxAttempts=2)
    error = {"stage": "push", "code": "push_failed", "message": "x", "retryable": True}
    await agent.emit("task.failed", "m1", error=error, patch="+a\n", resumable=True)
    jobs = await gateway.claim(capacity=0)
    (destroy,) = [each for each in jobs if each.get("taskId") == job["taskId"]]
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    again = Agent(http=gateway.http, env=(await _claimed(gateway, job["taskId"]))["env"])
    url = again.env["SLIPGATE_RESUME_URL"]
    await gateway.http.get(url, headers=again.headers(b"", "p1"))


async def _speak_unsigned(gateway: GatewayHarness, agent: Agent) -> None:
    body = agent.body("task.heartbeat")
    headers = agent.headers(body, "m2")
    for wrong in ({}, headers | {"webhook-id": "m3"}):
        await gateway.http.post("/v1/webhooks/agent", content=body, headers=wrong)
    for name in SIGNED_READS:
        await gateway.http.get(f"/v1/agent/{name}")


async def _offend_launchers(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    job = await _claimed(gateway, task["id"])
    await gateway.try_sandbox(job)
    elsewhere: Json = {"provider": "local", "realm": "there", "name": job["sandbox"]["name"]}
    for wrong in ({"realm": "there"}, {"provider": "docker"}, {"name": "slipgate-other-1"}):
        tried = elsewhere | {"realm": "here"} | wrong
        await gateway.report(job, "trying", **tried, **{"try": 2})
        for verb in ("created", "done"):
            await gateway.report(job, verb, sandbox=sandbox_of(job) | wrong)
    reports: dict[str, Json] = {
        "renew": {},
        "trying": elsewhere | {"try": 2},
        "created": {"sandbox": sandbox_of(job)},
        "done": {},
        "failed": {"error": ERROR},
        "delegate": {"until": "2030-01-01T00:00:00Z"},
    }
    reports["patch"] = PIECE | {"size": 200 * MIB}
    await gateway.report(job, "patch", **PIECE)
    await gateway.report(job, "patch", **reports["patch"])
    ended = {"launcherId": "l1", "sandboxes": []}
    await gateway.post("/v1/launcher/ended", ended, scope="launcher")
    for verb, fields in reports.items():
        await gateway.report({**job, "leaseToken": "old"}, verb, **fields)
        await gateway.report({"id": "job_ghost", "leaseToken": "x"}, verb, **fields)


async def _act_in_bulk(gateway: GatewayHarness, database: NewDatabase) -> None:
    """Bulk actions, and a purge with all that is refused after it."""
    job, agent = await _launched(gateway, keepSandbox=True, metadata={"bulk": "1"})
    path, reason = f"/v1/tasks/{job['taskId']}", {"reason": "x"}
    body: Json = {"action": "destroy", "filter": {"metadata": {"bulk": "1"}}, **reason}
    await gateway.post(f"{path}/purge", reason, "ops")
    await agent.emit("task.completed", "m1", summary="ok")
    await gateway.post(f"{path}/purge", reason, "ops")
    begun = await gateway.post("/v1/bulk", body, idempotency_key="b1")
    shown = f"/v1/bulk/{begun.json()['id']}"
    await gateway.post("/v1/bulk", body | {"reason": "y"}, idempotency_key="b1")
    await gateway.post("/v1/bulk", body, idempotency_key="k" * 256)
    await gateway.post("/v1/bulk", body | {"dryRun": True})
    with gateway.limited_bulk(0):
        await gateway.post("/v1/bulk", body)
    async with asyncio.timeout(60):
        while (await gateway.get(shown)).json()["status"] == "running":
            pass
    await gateway.post(f"{shown}/abort")
    await beside(database, "UPDATE bulk_actions SET status = 'aborted'")
    await gateway.post(f"{shown}/abort")
    for query in ("", "?cursor=x", "?limit=0"):
        await gateway.get(f"/v1/bulk{query}")
    jobs = await gateway.claim(capacity=0)
    (destroy,) = [one for one in jobs if one.get("taskId") == job["taskId"]]
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    await gateway.post(f"{path}/purge", reason, "ops")
    for read in ("logs", "patch", "receipts", "trajectory"):
        await gateway.get(f"{path}/{read}")
    await gateway.post(f"{path}/retry")
    await gateway.post("/v1/tasks", {"prompt": "x", "continueOf": job["taskId"]})
    await gateway.post(f"/v1/tasks/{NOBODY}/purge", reason, "ops")
    for verb in ("", "/abort"):
        await gateway.send("POST" if verb else "GET", f"/v1/bulk/bulk_0{verb}")


async def _serve(gateway: GatewayHarness) -> None:
    """Daytona and GitHub, in all the ways they call."""
    github, daytona = services.GitHub(http=gateway.http), services.Daytona(http=gateway.http)
    job, agent = await _launched(gateway)
    await agent.emit("task.pr_created", "m1", prUrl=services.PULL)
    job = await services.launch_in_daytona(gateway)
    for state in ("started", "stopped"):
        body = services.changed(job["sandbox"]["id"], state)
        for again in (body, body, body.replace(state.encode(), b"error")):
            await daytona.send(again, f"msg_{state}")
    for wrong in (b"{", b"{}", b" " * (MIB + 1)):
        await daytona.send(wrong)
        await github.send(wrong)
    await daytona.send(b"{}", at=1)
    for body in (services.closed(), services.closed()):
        for _ in range(2):
            await github.send(body, "d1")
    await github.close(closed_at="2020-01-01T00:00:00Z")
    await github.send(b"x", media_type="text/plain")
    for path in ("daytona", "github"):
        await gateway.http.post(f"/v1/webhooks/{path}", content=b"{}")
    stranger = b"x" * 32
    await services.Daytona(http=gateway.http, secret=stranger).send(b"{}")
    await services.GitHub(http=gateway.http, secret=stranger).send(b"{}")


async def _offend_all(gateway: GatewayHarness) -> None:
    """Sends the requests that every route refuses alike."""
    job, agent = await _launched(gateway)
    token = agent.env["WEBHOOK_URL"].rpartition("/")[2]
    named = {"taskId": job["taskId"], "jobId": job["id"], "token": token, "attempt": "1"}
    named |= {"workspaceId": job["taskId"], "requestId": "tok_0", "launcherId": "l1"}
    named |= {"keyId": "key_none"}
    named |= {"endpointId": "ep_0", "deliveryId": "dlv_0-1", "replayId": "rpl_0", "page": "none"}
    named |= {"bulkId": "bulk_0", "eventType": "invoice.paid"}
    signed = agent.headers(b"", "s1")
    for method, path, operation in _operations():
        url = shown_path(path).format(**named)
        for scope in _wrong_keys(operation):
            headers = gateway.bearer(scope) if scope else {}
            refused = await gateway.http.request(method, url, headers=headers)
            wanted = 403 if scope in SCOPES else 401
            assert refused.status_code == wanted, f"{url} {scope}"
        is_launchers = f"{path}/".startswith("/v1/launcher/")
        known = gateway.bearer("launcher" if is_launchers else "ops") | signed
        await gateway.http.request(method, f"{url}?limit=x&attempt=x", headers=known)
        for content, media_type in _bodies(operation):
            headers = known | {"content-type": media_type}
            await gateway.http.request(method, url, headers=headers, content=content)


def _operations() -> Iterator[tuple[str, str, Operation]]:
    for route in ROUTES:
        yield method_of(route), route.path, operation_of(route)


def _wrong_keys(operation: Operation) -> Iterator[str]:
    """None, one that has expired, and the scopes that the route does not name."""
    suffice = operation.access.scopes
    if suffice:
        yield from ("", "expired")
        yield from (scope for scope in SCOPES if scope not in suffice)


def _bodies(operation: Operation) -> Iterator[tuple[bytes, str]]:
    if operation.body is not None:
        yield b"{", "application/json"
        yield b'{"nonsense": 1}', "application/json"
        yield msgspec.json.encode({"type": 5}), "application/json"
        yield b"x", "text/plain"
        yield b" " * (operation.body.limit + 1), "application/json"
