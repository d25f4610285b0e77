"""Lists of tasks over HTTP: what each parameter asks for, and what is refused."""

from urllib.parse import quote

import pytest

from gateway.wire.times import milliseconds, parse_rfc3339, rfc3339
from tests.web.callers import GatewayHarness, Json

ERROR = {"stage": "agent", "code": "no_model", "message": "no key", "retryable": False}
GEARS = "https://github.com/acme/gears"


async def listed(gateway: GatewayHarness, query: str, scope: str = "tasks") -> list[str]:
    response = await gateway.get(f"/v1/tasks?{query}", scope)
    assert response.status_code == 200, response.text
    return [task["id"] for task in response.json()["data"]]


@pytest.fixture
async def tasks(gateway: GatewayHarness) -> Json:
    """A failed task, a queued one with metadata, and a cancelled one of another repository."""
    job, agent = await gateway.launch()
    assert (await agent.emit("task.failed", "m1", error=ERROR)).status_code == 202
    queued = await gateway.create(metadata={"userId": "u 1", "a.b": ""})
    cancelled = await gateway.create(repoUrl=GEARS, metadata={"userId": "u 1"})
    await gateway.post(f"/v1/tasks/{cancelled['id']}/cancel")
    return {"failed": job["taskId"], "queued": queued["id"], "cancelled": cancelled["id"]}


LISTS: dict[str, list[str]] = {
    "status=failed,queued": ["queued", "failed"],
    "status=running": [],
    "errorCode=no_model": ["failed"],
    "errorCode=other": [],
    "flag=any": [],
    f"repoUrl={quote(GEARS)}": ["cancelled"],
    "metadata.userId=u%201": ["cancelled", "queued"],
    "metadata.userId=u%201&metadata.a.b=": ["queued"],
    "metadata.userId=u%201&status=cancelled&limit=1": ["cancelled"],
    "createdAfter=2020-01-01T00:00:00Z": ["cancelled", "queued", "failed"],
    "createdBefore=2020-01-01T01:00:00%2B01:00": [],
    "createdAfter=0001-01-01T00:00:00Z&createdBefore=9999-12-31T23:59:59Z&limit=1": ["cancelled"],
}


async def test_a_list_shows_what_was_asked_for(gateway: GatewayHarness, tasks: Json) -> None:
    shown = {query: await listed(gateway, query) for query in LISTS}
    assert shown == {query: [tasks[name] for name in names] for query, names in LISTS.items()}


async def test_the_moment_itself_is_neither_before_nor_after(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    at = task["createdAt"]
    assert await listed(gateway, f"createdAfter={at}") == []
    assert await listed(gateway, f"createdBefore={at}") == []
    moment = parse_rfc3339(at)
    assert moment is not None
    earlier = rfc3339(milliseconds(moment) - 1)
    assert await listed(gateway, f"createdAfter={earlier}") == [task["id"]]


async def test_a_filter_reaches_no_other_project(gateway: GatewayHarness, tasks: Json) -> None:
    for query in ("metadata.userId=u%201", "errorCode=no_model", "status=queued"):
        assert await listed(gateway, query, "other") == []
        assert await listed(gateway, query, "ops") != []


WIDER: dict[str, str] = {
    "state=running": "?state",
    "status=": "?status",
    "status=running,": "?status",
    "status=running&status=failed": "?status",
    "flag=loud": "?flag",
    "errorCode=": "?errorCode",
    "repoUrl=": "?repoUrl",
    "metadata.=x": "?metadata.",
    "metadata=x": "?metadata",
    "metadata.a=1&metadata.a=2": "?metadata.a",
    "&".join(f"metadata.{n}=1" for n in range(51)): "?metadata.*",
    "createdAfter=yesterday": "?createdAfter",
    "createdAfter=2026-01-01": "?createdAfter",
    "createdBefore=2026-01-01T00:00:00": "?createdBefore",
    "limit=0": "?limit",
    "limit=201": "?limit",
}


@pytest.mark.alike
async def test_what_would_widen_a_list_unseen_is_refused(gateway: GatewayHarness) -> None:
    refused = {query: await gateway.get(f"/v1/tasks?{query}") for query in WIDER}
    answers = {(answer.status_code, answer.json()["code"]) for answer in refused.values()}
    assert answers == {(422, "invalid_request")}
    named = {query: answer.json()["errors"] for query, answer in refused.items()}
    assert {query: [it["path"] for it in errors] for query, errors in named.items()} == {
        query: [path] for query, path in WIDER.items()
    }


OTHER_LISTS = {
    "other filters": ("limit=1&status=queued", "tasks"),
    "more filters": ("limit=1&metadata.a=1", "tasks"),
    "another project": ("limit=1", "other"),
    "all projects": ("limit=1", "ops"),
}


async def test_a_cursor_belongs_to_the_list_it_was_made_for(
    gateway: GatewayHarness, tasks: Json
) -> None:
    cursor = (await gateway.get("/v1/tasks?limit=1")).json()["nextCursor"]
    assert await listed(gateway, f"limit=50&cursor={cursor}") == [tasks["queued"], tasks["failed"]]
    answers = {
        name: await gateway.get(f"/v1/tasks?{query}&cursor={cursor}", scope)
        for name, (query, scope) in OTHER_LISTS.items()
    }
    refused = {name: (it.status_code, it.json()["code"]) for name, it in answers.items()}
    assert refused == dict.fromkeys(OTHER_LISTS, (400, "invalid_cursor"))


async def test_a_cursor_goes_on_under_any_order_of_the_same_filters(
    gateway: GatewayHarness, tasks: Json
) -> None:
    first = await gateway.get("/v1/tasks?status=failed,queued&limit=1")
    cursor = first.json()["nextCursor"]
    assert await listed(gateway, f"cursor={cursor}&status=queued,failed") == [tasks["failed"]]
