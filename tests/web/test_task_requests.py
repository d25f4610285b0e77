"""Tasks over HTTP: created, shown, listed, cancelled, retried."""

import asyncio
from typing import Final

import pytest

from tests.stores import NewDatabase
from tests.web.callers import TASK, GatewayHarness, open_gateway


async def test_a_created_task_is_where_location_says(gateway: GatewayHarness) -> None:
    response = await gateway.post("/v1/tasks", TASK | {"metadata": {"userId": "u_1"}})
    assert response.status_code == 202
    task = response.json()
    shown = await gateway.get(response.headers["location"])
    assert shown.json() == task
    assert task["status"] == "queued"
    assert task["title"] == "Add /health"
    assert task["branchName"] == f"slipgate/{task['id']}"
    assert task["metadata"] == {"userId": "u_1"}
    assert task["nextDeadline"]["what"] == "queue"


async def test_what_a_task_keeps_secret_is_never_shown_nor_stored_in_the_open(
    gateway: GatewayHarness, database: NewDatabase
) -> None:
    task = await gateway.create(
        env={"FEATURE_X": "hunter2"}, callbackUrl="https://app.example/hook?bypass=hunter2"
    )
    await gateway.claim()
    for path in ("/v1/tasks", f"/v1/tasks/{task['id']}", f"/v1/tasks/{task['id']}/events"):
        text = (await gateway.get(path)).text
        assert "hunter2" not in text
        assert "FEATURE_X" not in text
    assert "hunter2" not in str(task)
    assert not database.holds(b"hunter2")


HARMFUL: Final[tuple[tuple[dict[str, object], str, str], ...]] = (
    ({"branchName": "-f"}, "invalid_request", "$.branchName"),
    ({"baseBranch": "a..b"}, "invalid_request", "$.baseBranch"),
    ({"repoUrl": "--upload-pack=x"}, "invalid_request", "$.repoUrl"),
    ({"repoUrl": "file:///etc"}, "invalid_request", "$.repoUrl"),
    ({"repoUrl": "ext::sh -c id"}, "invalid_request", "$.repoUrl"),
    ({"repoUrl": "https://user:secret@github.com/a/b"}, "invalid_request", "$.repoUrl"),
    ({"baseBranch": "a b"}, "invalid_request", "$.baseBranch"),
    ({"prompt": ""}, "invalid_request", "$.prompt"),
    ({"timeouts": {"runSeconds": 0}}, "invalid_request", "$.timeouts.runSeconds"),
    ({"nonsense": 1}, "invalid_request", "$.nonsense"),
    ({"env": {"PATH": "/tmp"}}, "reserved_env", "$.env.PATH"),
    ({"env": {"SLIPGATE_X": "1"}}, "reserved_env", "$.env.SLIPGATE_X"),
    ({"env": {"OPENAI_BASE_URL": "http://x"}}, "reserved_env", "$.env.OPENAI_BASE_URL"),
    ({"callbackUrl": "ftp://x"}, "invalid_request", "$.callbackUrl"),
    ({"callbackUrl": "https://169.254.169.254/"}, "invalid_request", "$.callbackUrl"),
    ({"callbackUrl": "https://[::ffff:10.0.0.1]/"}, "invalid_request", "$.callbackUrl"),
    ({"callbackUrl": "https://localhost/hook"}, "invalid_request", "$.callbackUrl"),
    ({"callbackUrl": "http://example.com/hook"}, "invalid_request", "$.callbackUrl"),
)


@pytest.mark.alike
async def test_a_task_that_would_do_harm_is_refused_by_name(gateway: GatewayHarness) -> None:
    for wanted, code, path in HARMFUL:
        response = await gateway.post("/v1/tasks", TASK | wanted)
        assert (response.status_code, response.json()["code"]) == (422, code), wanted
        assert [error["path"] for error in response.json()["errors"]] == [path]
        assert response.headers["content-type"] == "application/problem+json"
    assert (await gateway.get("/v1/tasks")).json()["data"] == []


@pytest.mark.alike
async def test_all_reserved_variables_are_named_at_once(gateway: GatewayHarness) -> None:
    env = {"PATH": "/x", "TARGET_REPO": "y", "OPENAI_BASE_URL": "https://evil.example", "OK": "1"}
    problem = (await gateway.post("/v1/tasks", TASK | {"env": env})).json()
    named = {error["path"] for error in problem["errors"]}
    assert named == {"$.env.PATH", "$.env.TARGET_REPO", "$.env.OPENAI_BASE_URL"}


@pytest.mark.alike
async def test_an_address_may_come_with_its_own_key(gateway: GatewayHarness) -> None:
    await gateway.create(env={"OPENAI_BASE_URL": "http://x", "OPENAI_API_KEY": "k"})


@pytest.mark.alike
async def test_only_ops_names_a_provider(gateway: GatewayHarness) -> None:
    wanted = TASK | {"provider": "docker"}
    assert (await gateway.post("/v1/tasks", wanted)).status_code == 403
    assert (await gateway.post("/v1/tasks", wanted, scope="ops")).status_code == 202


@pytest.mark.alike
async def test_other_repositories_than_the_allowed_are_refused(database: NewDatabase) -> None:
    async with open_gateway(
        database, SLIPGATE_ALLOWED_REPOS="https://github.com/other/*"
    ) as gateway:
        response = await gateway.post("/v1/tasks", TASK)
        assert (response.status_code, response.json()["code"]) == (422, "repo_not_allowed")


@pytest.mark.parametrize("route", ["/v1/tasks", "/workspace"])
@pytest.mark.alike
async def test_a_page_of_a_repository_is_refused_with_the_repository(
    gateway: GatewayHarness, route: str
) -> None:
    page = "https://github.com/acme/widgets/tree/main"
    wanted = TASK if route == "/v1/tasks" else {"env": {"AGENT_PROMPT": "Do it"}}
    response = await gateway.post(route, wanted | {"repoUrl": page})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_request")
    assert problem["hint"] == "Give https://github.com/acme/widgets."
    assert problem["errors"][0]["path"] == "$.repoUrl"


async def test_the_same_key_and_request_get_the_first_answer(gateway: GatewayHarness) -> None:
    first = await gateway.post("/v1/tasks", TASK, idempotency_key="k-1")
    again = await gateway.post("/v1/tasks", TASK | {"priority": 5}, idempotency_key="k-1")
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    other = await gateway.post("/v1/tasks", TASK | {"priority": 6}, idempotency_key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_of_two_at_the_same_time_one_decides(gateway: GatewayHarness) -> None:
    first, second = await asyncio.gather(
        *(gateway.post("/v1/tasks", TASK, idempotency_key="k-1") for _ in range(2))
    )
    assert first.json()["id"] == second.json()["id"]
    assert len((await gateway.get("/v1/tasks")).json()["data"]) == 1


async def test_another_project_sees_nothing(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    for path in ("", "/events", "/logs", "/patch"):
        response = await gateway.get(f"/v1/tasks/{task['id']}{path}", "other")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    cancel = await gateway.post(f"/v1/tasks/{task['id']}/cancel", scope="other")
    assert cancel.status_code == 404
    assert (await gateway.get("/v1/tasks", "other")).json()["data"] == []
    assert (await gateway.get(f"/v1/tasks/{task['id']}", "ops")).status_code == 200


async def test_a_list_is_newest_first_and_goes_on_at_its_cursor(gateway: GatewayHarness) -> None:
    made = [(await gateway.create())["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await gateway.get(f"/v1/tasks?limit=2{cursor and '&cursor=' + cursor}")).json()
        seen += [task["id"] for task in page["data"]]
        cursor = page["nextCursor"]
    assert seen == sorted(made, reverse=True)


async def test_ops_lists_every_project(gateway: GatewayHarness) -> None:
    await gateway.create()
    await gateway.post("/v1/tasks", TASK, scope="other")
    projects = {task["project"] for task in (await gateway.get("/v1/tasks", "ops")).json()["data"]}
    assert projects == {"default", "elsewhere"}


async def test_a_status_named_twice_lists_a_task_once(gateway: GatewayHarness) -> None:
    await gateway.create()
    page = (await gateway.get("/v1/tasks?status=queued,queued,running")).json()
    assert len(page["data"]) == 1
    cancelled = (await gateway.create())["id"]
    await gateway.post(f"/v1/tasks/{cancelled}/cancel")
    page = (await gateway.get("/v1/tasks?status=cancelled")).json()
    assert [task["id"] for task in page["data"]] == [cancelled]
    assert (await gateway.get("/v1/tasks?status=running")).json()["data"] == []


@pytest.mark.alike
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=0", 422, "invalid_request"),
        ("limit=x", 422, "invalid_request"),
        ("status=done", 422, "invalid_request"),
        ("colour=red", 422, "invalid_request"),
        ("cursor=bm90IG91cnM=", 400, "invalid_cursor"),
        ("cursor=%C3%A4", 400, "invalid_cursor"),
    ],
)
async def test_a_wrong_query_is_refused(
    gateway: GatewayHarness, query: str, status: int, code: str
) -> None:
    response = await gateway.get(f"/v1/tasks?{query}")
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_queued_task_is_cancelled_once_and_retried(gateway: GatewayHarness) -> None:
    path = f"/v1/tasks/{(await gateway.create())['id']}"
    early = await gateway.post(f"{path}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "not_finished")
    cancelled = await gateway.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    again = await gateway.post(f"{path}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "already_finished")
    retried = (await gateway.post(f"{path}/retry")).json()
    assert (retried["status"], retried["attempt"]) == ("queued", 2)


@pytest.mark.parametrize("task_id", ["task_x", "x", "%00", "task_" + "z" * 26])
@pytest.mark.alike
async def test_what_is_no_task_is_not_found(gateway: GatewayHarness, task_id: str) -> None:
    for path in (f"/v1/tasks/{task_id}", f"/v1/tasks/{task_id}/events"):
        assert (await gateway.get(path)).status_code == 404
    assert (await gateway.post(f"/v1/tasks/{task_id}/cancel")).status_code == 404
