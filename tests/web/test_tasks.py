"""Tasks over HTTP, as a frontend sees them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.web.house import NEW_TASK, house, key


async def test_a_new_task_is_accepted_with_its_defaults(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        response = await home.post("/v1/tasks", NEW_TASK)
        task = response.json()
        assert response.status_code == 202
        assert response.headers["location"] == f"/v1/tasks/{task['id']}"
        assert task["status"] == "queued"
        assert task["title"] == "Add a health endpoint"
        assert task["branchName"] == f"slipgate/{task['id']}"
        assert task["nextDeadline"]["what"] == "queue"
        assert await home.task(task["id"]) == task


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"repoUrl": "--upload-pack=x"}, "$.repoUrl"),
        ({"repoUrl": "ext::sh -c id"}, "$.repoUrl"),
        ({"repoUrl": "file:///etc"}, "$.repoUrl"),
        ({"repoUrl": "https://user:secret@github.com/a/b"}, "$.repoUrl"),
        ({"branchName": "-x"}, "$.branchName"),
        ({"branchName": "a..b"}, "$.branchName"),
        ({"baseBranch": "a b"}, "$.baseBranch"),
        ({"prompt": ""}, "$.prompt"),
        ({"timeouts": {"runSeconds": 0}}, "$.timeouts.runSeconds"),
        ({"nonsense": 1}, "$.nonsense"),
        ({"callbackUrl": "http://example.com/hook"}, "$.callbackUrl"),
    ],
)
async def test_a_wrong_field_is_named(tmp_path: Path, fields: dict[str, Any], path: str) -> None:
    async with house(tmp_path) as home:
        response = await home.post("/v1/tasks", {**NEW_TASK, **fields})
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["code"] == "invalid_request"
        assert [error["path"] for error in problem["errors"]] == [path]
        assert (await home.call("GET", "/v1/tasks")).json()["data"] == []


async def test_reserved_variables_are_refused_by_name(tmp_path: Path) -> None:
    env = {"PATH": "/x", "TARGET_REPO": "y", "OPENAI_BASE_URL": "https://evil.example", "OK": "1"}
    async with house(tmp_path) as home:
        problem = (await home.post("/v1/tasks", {**NEW_TASK, "env": env})).json()
        assert problem["code"] == "reserved_env"
        assert {error["path"] for error in problem["errors"]} == {
            "$.env.PATH",
            "$.env.TARGET_REPO",
            "$.env.OPENAI_BASE_URL",
        }


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b"\xff", {}, 400, "invalid_json"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (b"x" * (2 * 1024 * 1024 + 1), {}, 413, "too_large"),
        (b"[]", {}, 422, "invalid_request"),
        (b'{"repoUrl":1e999}', {}, 422, "invalid_request"),
    ],
)
async def test_a_bad_body_gives_a_stable_code(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    async with house(tmp_path) as home:
        response = await home.call(
            "POST",
            "/v1/tasks",
            content=body,
            headers={"content-type": "application/json", **headers},
        )
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.json()["requestId"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("PUT", "/v1/tasks", 405), ("GET", "/v1/tasks/task_x", 404)],
)
async def test_unknown_routes_and_methods_are_problems(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with house(tmp_path) as home:
        response = await home.call(method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"


async def test_keys_open_only_their_scope_and_their_project(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create()
        assert (await home.http.get("/v1/tasks")).status_code == 401
        assert (
            await home.call("POST", "/v1/tasks", scope="read", json=NEW_TASK)
        ).status_code == 403
        assert (await home.call("POST", "/v1/launcher/claim", json={})).status_code == 403
        foreign = {"Authorization": f"Bearer {key('tasks', 'y')}"}
        path = f"/v1/tasks/{task['id']}"
        assert (await home.http.get(path, headers=foreign)).status_code == 404
        assert (await home.http.post(f"{path}/cancel", headers=foreign)).status_code == 404
        assert (await home.call("GET", path, scope="ops")).status_code == 200


async def test_the_same_idempotency_key_gets_the_same_task(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        headers = {"Idempotency-Key": "one"}
        first, second = await asyncio.gather(
            home.post("/v1/tasks", NEW_TASK, headers=headers),
            home.post("/v1/tasks", {**NEW_TASK, "priority": 5}, headers=headers),
        )
        assert first.json() == second.json()
        assert "true" in {r.headers.get("idempotent-replayed") for r in (first, second)}
        other = await home.post("/v1/tasks", {**NEW_TASK, "priority": 6}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_lists_are_pages_newest_first(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        made = [(await home.create())["id"] for _ in range(5)]
        await home.post(f"/v1/tasks/{made[0]}/cancel")
        page = (await home.call("GET", "/v1/tasks?limit=3")).json()
        rest = (await home.call("GET", f"/v1/tasks?limit=3&cursor={page['nextCursor']}")).json()
        assert [task["id"] for task in page["data"] + rest["data"]] == made[::-1]
        assert rest["nextCursor"] is None
        cancelled = (await home.call("GET", "/v1/tasks?status=cancelled")).json()
        assert [task["id"] for task in cancelled["data"]] == [made[0]]
        broken = await home.call("GET", "/v1/tasks?cursor=abc")
        assert broken.json()["code"] == "invalid_cursor"


async def test_a_stalled_body_of_events_can_be_followed(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create()
        path = f"/v1/tasks/{task['id']}/events"
        first = (await home.call("GET", path)).json()
        assert [event["type"] for event in first["data"]] == ["task.created"]
        waiting = asyncio.create_task(
            home.call("GET", f"{path}?after={first['nextCursor']}&wait=10")
        )
        await home.post(f"/v1/tasks/{task['id']}/cancel")
        types = [event["type"] for event in (await waiting).json()["data"]]
        assert types[:1] == ["task.cancel_requested"]
        project = (await home.call("GET", "/v1/events")).json()
        assert [event["type"] for event in project["data"]][-1] == "task.cancelled"


async def test_operations_answer(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.create()
        assert (await home.http.get("/healthz")).status_code == 200
        assert (await home.http.get("/readyz")).status_code == 200
        assert (await home.http.get("/metrics")).status_code == 401
        metrics = await home.call("GET", "/metrics", scope="read")
        assert 'slipgate_tasks{status="queued"} 1.0' in metrics.text
