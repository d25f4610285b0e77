"""The drop-in API as today's frontend uses it, and the flat webhooks it gets."""

import asyncio
import json
import time

import pytest

from gateway.cli.operations.minting import mint
from gateway.demo.receiver import Receiver
from gateway.demo.serve import serving
from gateway.wire.signing import secret_bytes
from gateway.wire.times import milliseconds, parse_rfc3339
from tests.stores import NewDatabase
from tests.web.callers import MASTER, Agent, GatewayHarness, Json, open_gateway, sandbox_of

NEW: Json = {
    "snapshot": "pithy-jaunt-dev",
    "repoUrl": "https://github.com/acme/widgets",
    "branch": "main",
    "unknown": "ignored",
    "env": {
        "TASK_ID": "k1",
        "TARGET_REPO": "https://github.com/acme/widgets",
        "BASE_BRANCH": "develop",
        "BRANCH_NAME": "pithy/k1",
        "AGENT_PROMPT": "Add a health endpoint",
        "MODEL_PROVIDER": "anthropic",
        "MODEL": "claude-sonnet-4-5",
        "KEEP_ALIVE": "false",
        "OPENROUTER_API_KEY": "",
        "FEATURE": "1",
    },
}


def asked(**env: str) -> Json:
    """The request with other variables."""
    return {**NEW, "env": {**NEW["env"], **env}}


async def made(gateway: GatewayHarness, **env: str) -> Json:
    """A workspace."""
    response = await gateway.post("/workspace", asked(**env))
    assert response.status_code == 200, response.text
    workspace: Json = response.json()
    return workspace


async def test_two_variables_changed_and_it_works(gateway: GatewayHarness) -> None:
    workspace = await made(gateway)
    assert workspace["workspaceId"] == workspace["id"]
    assert (workspace["status"], workspace["snapshot"]) == ("creating", "pithy-jaunt-dev")
    assert workspace["taskId"] == "k1"
    task = (await gateway.get(f"/v1/tasks/{workspace['id']}")).json()
    assert (task["prompt"], task["baseBranch"]) == ("Add a health endpoint", "develop")
    assert (task["branchName"], task["repoUrl"]) == ("pithy/k1", NEW["repoUrl"])
    assert task["agent"]["modelProvider"] == "anthropic"


async def test_the_sandbox_gets_what_was_given_and_calls_us_back(gateway: GatewayHarness) -> None:
    workspace = await made(gateway, WEBHOOK_URL="https://app.example/api/webhook/daytona")
    (job,) = await gateway.claim()
    env = job["env"]
    given = {**NEW["env"], "WORKSPACE_ID": workspace["id"]}
    # Nothing is absent too: a key that is not given must not hide the launcher's own.
    del given["OPENROUTER_API_KEY"]
    assert {name: env.get(name) for name in given} == given
    assert "OPENROUTER_API_KEY" not in env
    assert f"/v1/hooks/{workspace['id']}/" in env["WEBHOOK_URL"]


async def test_it_is_answered_as_soon_as_the_sandbox_is_made(database: NewDatabase) -> None:
    async with open_gateway(database, SLIPGATE_WORKSPACE_WAIT_SECONDS="30") as gateway:
        asking = asyncio.ensure_future(gateway.post("/workspace", NEW))
        (job,) = await gateway.claim(waitSeconds=10)
        await gateway.try_sandbox(job)
        await gateway.report(job, "created", sandbox=sandbox_of(job, state="creating"))
        assert (await asking).json()["snapshot"] == "pithy-jaunt-dev"


async def test_a_wrong_snapshot_is_not_answered_while_another_provider_may_do(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, SLIPGATE_WORKSPACE_WAIT_SECONDS="30") as gateway:
        asking = asyncio.ensure_future(gateway.post("/workspace", NEW))
        (job,) = await gateway.claim(waitSeconds=10)
        await gateway.try_sandbox(job)
        wrong = sandbox_of(job, state="creating") | {"snapshot": "daytonaio/sandbox:0.4.3"}
        await gateway.report(job, "created", sandbox=wrong)
        error = {"code": "wrong_snapshot", "message": "not yours", "retryable": False}
        await gateway.report(job, "failed", error=error)
        refused = await asking
    assert refused.status_code == 502
    assert refused.json()["code"] == "launch_failed"
    assert "wrong_snapshot: not yours" in refused.json()["message"]
    assert refused.json()["error"] == "launch_failed"


async def test_the_same_task_id_is_the_same_workspace(gateway: GatewayHarness) -> None:
    first = await made(gateway)
    assert await made(gateway, AGENT_PROMPT="other words") == first
    assert (await made(gateway, TASK_ID="k2"))["id"] != first["id"]
    other = await gateway.post("/workspace", {**NEW, "branch": "else"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_two_at_once_are_one(gateway: GatewayHarness) -> None:
    answers = await asyncio.gather(*(made(gateway) for _ in range(5)))
    assert len({answer["id"] for answer in answers}) == 1


@pytest.mark.alike
async def test_without_a_task_id_nothing_is_the_same(gateway: GatewayHarness) -> None:
    first, second = await made(gateway, TASK_ID=""), await made(gateway, TASK_ID="")
    assert first["id"] != second["id"]
    assert first["taskId"] == first["id"]


async def test_after_a_bad_end_the_same_task_id_is_its_next_attempt_with_the_new_env(
    database: NewDatabase,
) -> None:
    clock = [time.time_ns() // 1_000_000]
    async with open_gateway(
        database, clock=lambda: clock[0], SLIPGATE_WORKSPACE_WAIT_SECONDS="0"
    ) as gateway:
        first = await made(gateway)
        await gateway.http.request(
            "DELETE", f"/workspace/{first['id']}", headers=gateway.bearer("tasks")
        )
        for _ in range(2):
            assert (await made(gateway, FEATURE="2"))["id"] == first["id"]
            assert (await gateway.get(f"/v1/tasks/{first['id']}")).json()["attempt"] == 2
        assert await gateway.claim() == []
        clock[0] += 11_000
        (job,) = await gateway.claim()
        assert job["env"]["FEATURE"] == "2"


@pytest.mark.parametrize(
    ("env", "code"),
    [
        pytest.param({"AGENT_PROMPT": ""}, "invalid_request", id="no prompt"),
        pytest.param({"AGENT_PROMPT": "x" * 98_305}, "invalid_request", id="long prompt"),
        pytest.param({"MODEL_PROVIDER": "acme"}, "invalid_request", id="unknown provider"),
        pytest.param({"BRANCH_NAME": "-x"}, "invalid_request", id="branch"),
        pytest.param({"PATH": "/x"}, "reserved_env", id="reserved"),
        pytest.param({"WEBHOOK_URL": "ftp://x"}, "invalid_request", id="webhook"),
    ],
)
@pytest.mark.alike
async def test_errors_carry_what_the_frontend_shows(
    gateway: GatewayHarness, env: dict[str, str], code: str
) -> None:
    refused = await gateway.post("/workspace", asked(**env))
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["message"]
    assert refused.json()["error"] == code


@pytest.mark.alike
async def test_an_error_names_the_frontends_own_fields_and_its_message_all_of_them(
    gateway: GatewayHarness,
) -> None:
    wrong = {"WEBHOOK_URL": "ftp://x", "BRANCH_NAME": "-x", "BASE_BRANCH": "a..b", "PATH": "/x"}
    refused = (await gateway.post("/workspace", asked(**wrong) | {"repoUrl": "git@"})).json()
    paths = {error["path"] for error in refused["errors"]}
    assert paths == {"$.repoUrl", *(f"$.env.{name}" for name in wrong)}
    for name in ("repoUrl", *(f"env.{name}" for name in wrong)):
        assert f"{name}: " in refused["message"]


@pytest.mark.alike
async def test_an_error_of_the_branch_names_the_field_it_stood_in(gateway: GatewayHarness) -> None:
    wanted = {**NEW, "branch": "a..b", "env": {**NEW["env"], "BASE_BRANCH": ""}}
    (error,) = (await gateway.post("/workspace", wanted)).json()["errors"]
    assert error["path"] == "$.branch"


@pytest.mark.alike
async def test_empty_strings_are_absent_and_keep_alive_keeps_the_sandbox(
    gateway: GatewayHarness,
) -> None:
    wanted = asked(KEEP_ALIVE="true", BASE_BRANCH="", BRANCH_NAME="", MODEL="", MODEL_PROVIDER="")
    made = await gateway.post("/workspace", wanted | {"snapshot": "", "branch": ""})
    assert made.status_code == 200, made.text
    assert made.json()["snapshot"] == "slipgate-agent-1"
    task = (await gateway.get(f"/v1/tasks/{made.json()['id']}")).json()
    assert task["baseBranch"] is None
    assert task["branchName"] == f"slipgate/{task['id']}"
    (job,) = await gateway.claim()
    agent = Agent(http=gateway.http, env=job["env"])
    await gateway.try_sandbox(job)
    await gateway.report(job, "done", sandbox=sandbox_of(job))
    assert (await agent.emit("task.completed", "m1", summary="ok")).status_code == 202
    assert await gateway.claim(capacity=0) == [], "its sandbox is kept"


async def test_workspaces_are_listed_and_stopped(gateway: GatewayHarness) -> None:
    first, second = await made(gateway), await made(gateway, TASK_ID="k2")
    page = (await gateway.get("/workspace?limit=1")).json()
    (shown,) = page["workspaces"]
    assert (shown["workspaceId"], shown["taskId"]) == (second["id"], "k2")
    assert (shown["id"], shown["status"]) == (second["id"], "creating")
    rest = (await gateway.get(f"/workspace?limit=1&cursor={page['nextCursor']}")).json()
    assert [each["workspaceId"] for each in rest["workspaces"]] == [first["id"]]
    assert rest["nextCursor"] is None
    for _ in range(2):
        stopped = await gateway.post(f"/workspace/{first['id']}/stop")
        assert (stopped.status_code, stopped.json()["status"]) == (200, "terminated")
    assert (await gateway.get("/workspace", "other")).json()["workspaces"] == []


@pytest.mark.alike
async def test_a_wrong_key_names_the_frontends_own_variable(gateway: GatewayHarness) -> None:
    for headers in ({}, gateway.bearer("launcher")):
        refused = (await gateway.http.post("/workspace", headers=headers, json={})).json()
        assert refused["message"].startswith(refused["detail"])
        assert "DAYTONA_API_KEY" in refused["message"]


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "//workspace", "DAYTONA_API_URL"),
        ("POST", "/api/workspace", "DAYTONA_API_URL"),
        ("POST", "/workspace/", "trailing slash"),
        ("GET", "/api/workspace/x", "DAYTONA_API_URL"),
        ("POST", "/workspaces", "POST /workspace"),
        ("POST", "/workspace/x/start", "POST /workspace/{id}/stop"),
        ("POST", "/sandbox", "DAYTONA_USE_SDK=false"),
        ("GET", "/api/sandbox/x", "DAYTONA_SNAPSHOT_NAME"),
        ("GET", "/snapshots/x", "DAYTONA_USE_GITHUB_ACTIONS"),
    ],
)
@pytest.mark.alike
async def test_a_wrong_door_says_which_one_is_right(
    gateway: GatewayHarness, method: str, path: str, named: str
) -> None:
    headers = gateway.bearer("tasks")
    refused = await gateway.http.request(method, f"https://gate.example{path}", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (404, "not_found")
    assert named in refused.json()["message"]


async def test_a_wrong_method_says_which_calls_there_are(gateway: GatewayHarness) -> None:
    wrong = {"PUT": "/workspace", "DELETE": "/workspace", "POST": "/workspace/x"}
    for method, path in (*wrong.items(), ("GET", "/workspace/x/stop")):
        refused = await gateway.http.request(method, path)
        problem = refused.json()
        assert (refused.status_code, problem["error"]) == (405, "method_not_allowed")
        assert "POST /workspace/{id}/stop and DELETE /workspace/{id}" in problem["message"]


async def test_its_end_is_told_after_the_frontend_has_written_down_that_it_runs(
    database: NewDatabase,
) -> None:
    clock = [time.time_ns() // 1_000_000]
    async with open_gateway(
        database, clock=lambda: clock[0], SLIPGATE_WORKSPACE_WAIT_SECONDS="0"
    ) as gateway:
        first = await made(gateway, WEBHOOK_URL="https://app.example/hook")
        (job,) = await gateway.claim()
        hook = job["env"]["WEBHOOK_URL"]
        await gateway.http.post(
            hook, json={"type": "task.failed", "error": "boom", "message": "no"}
        )
        assert await ends_due(gateway, first["id"]) == [clock[0] + 5_000]
        clock[0] += 3_000
        await made(gateway, FEATURE="2", WEBHOOK_URL="https://app.example/hook")
        assert await ends_due(gateway, first["id"]) == [None], "what goes on has not ended"


async def ends_due(gateway: GatewayHarness, task_id: str) -> list[int | None]:
    """The times at which the ends of a task are delivered (milliseconds)."""
    listed = await gateway.get(f"/v1/deliveries?taskId={task_id}", "ops")
    ends = [each for each in listed.json()["data"] if each["type"] == "task.failed"]
    moments = [parse_rfc3339(each["nextAttemptAt"] or "") for each in ends]
    return [None if moment is None else milliseconds(moment) for moment in moments]


async def test_a_workspace_shows_its_state_from_creating_to_terminated(
    gateway: GatewayHarness,
) -> None:
    workspace = await made(gateway)
    path = f"/workspace/{workspace['id']}"

    async def status() -> str:
        shown: str = (await gateway.get(path)).json()["status"]
        return shown

    assert await status() == "creating"
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    await gateway.report(job, "done", sandbox=sandbox_of(job))
    assert await status() == "started"
    for _ in range(2):
        deleted = await gateway.http.request("DELETE", path, headers=gateway.bearer("tasks"))
        assert deleted.status_code == 200
    (job,) = await gateway.claim()
    assert job["kind"] == "destroy"
    await gateway.report(job, "done", sandbox=sandbox_of(job, state="destroyed"))
    assert await status() == "terminated"
    deleted = await gateway.http.request("DELETE", path, headers=gateway.bearer("tasks"))
    assert deleted.json() == {"workspaceId": workspace["id"], "status": "terminated"}


async def test_unknown_and_foreign_workspaces_are_not_there(gateway: GatewayHarness) -> None:
    workspace = await made(gateway)
    foreign = await gateway.get(f"/workspace/{workspace['id']}", "other")
    assert foreign.status_code == 404
    for path in ("/workspace/x", f"/workspace/task_0{'0' * 25}"):
        for method in ("GET", "DELETE"):
            refused = await gateway.http.request(method, path, headers=gateway.bearer("tasks"))
            assert (refused.status_code, refused.json()["error"]) == (404, "not_found")


FLAT = {"type", "taskId", "workspaceId", "status", "branchName", "prUrl", "error", "message"}


async def test_its_receiver_gets_the_flat_payload_it_knows_signed(database: NewDatabase) -> None:
    secret: list[bytes] = []
    receiver = Receiver(secret=lambda: secret[0], now=time.time)
    async with (
        serving(receiver.app) as address,
        open_gateway(
            database,
            SLIPGATE_ALLOW_PRIVATE_ENDPOINTS="true",
            SLIPGATE_WORKSPACE_WAIT_SECONDS="0",
        ) as gateway,
    ):
        secret.append(await asyncio.to_thread(callback_secret, database))
        workspace = await made(gateway, WEBHOOK_URL=f"{address}/hook")
        (job,) = await gateway.claim()
        await gateway.try_sandbox(job)
        await gateway.report(job, "done", sandbox=sandbox_of(job))
        words: tuple[Json, ...] = (
            {"type": "task.progress", "message": "Cloning", "taskId": "k1"},
            {"type": "pr.created", "prUrl": "https://github.com/acme/widgets/pull/1"},
            {"type": "task.completed", "status": "success"},
        )
        for word in words:
            reply = await gateway.http.post(job["env"]["WEBHOOK_URL"], json=word)
            assert reply.json()["status"] == "ok"
        await receiver.wait_for(lambda one: one.type == "task.completed", seconds=20)
    got = [json.loads(one.body) for one in receiver.received]
    assert all(payload.keys() == FLAT for payload in got)
    assert [payload["type"] for payload in got] == [
        "workspace.created",
        "task.progress",
        "task.completed",
    ]
    assert {payload["taskId"] for payload in got} == {"k1"}
    assert {payload["workspaceId"] for payload in got} == {workspace["id"]}
    assert got[-1]["status"] == "success"
    assert got[-1]["prUrl"] == "https://github.com/acme/widgets/pull/1"
    assert database.problems() == ()


def callback_secret(database: NewDatabase) -> bytes:
    """The secret of the project's callbacks, as its first key shows it."""
    environ = {
        "SLIPGATE_DATABASE_URL": database.url,
        "SLIPGATE_SECRET_KEYS": f"k1:{MASTER}",
    }
    shown = mint(environ, "tasks", "default", "test").callback_secret
    assert shown
    return secret_bytes(shown)
