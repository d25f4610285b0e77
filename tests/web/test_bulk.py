"""Bulk actions over HTTP: tried dry, done to the end, by filter and project, across a restart."""

import asyncio

import pytest

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway

REASON = "the provider was away"
OTHER = "https://github.com/acme/gears"


async def starts(
    gateway: GatewayHarness, verb: str, scope: str = "tasks", **wanted: object
) -> Json:
    """A bulk action that is stored."""
    body = {"action": verb, "filter": wanted, "reason": REASON}
    response = await gateway.post("/v1/bulk", body, scope)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/v1/bulk/{response.json()['id']}"
    begun: Json = response.json()
    return begun


async def over(gateway: GatewayHarness, begun: Json, scope: str = "read") -> Json:
    """The action when it has ended."""
    async with asyncio.timeout(60):
        while True:
            shown: Json = (await gateway.get(f"/v1/bulk/{begun['id']}", scope)).json()
            if shown["status"] != "running":
                return shown
            await asyncio.sleep(0.01)


async def test_it_acts_on_what_matches_and_on_nothing_else(gateway: GatewayHarness) -> None:
    first = [await gateway.create(metadata={"team": "a", "n": str(n)}) for n in range(3)]
    other = await gateway.create(repoUrl=OTHER, metadata={"team": "a"})
    begun = await starts(gateway, "cancel", repoUrl="https://github.com/acme/widgets")
    assert (begun["matched"], begun["filter"]) == (
        3,
        {"repoUrl": "https://github.com/acme/widgets"},
    )
    shown = await over(gateway, begun)
    assert (shown["status"], shown["done"], shown["failed"]) == ("done", 3, 0)
    assert (shown["reason"], shown["actor"], shown["project"]) == (REASON, "key:key_0", "default")
    states = [(await gateway.task(task["id"]))["status"] for task in (*first, other)]
    assert states == ["cancelled", "cancelled", "cancelled", "queued"]
    again = await over(gateway, await starts(gateway, "retry", status=["cancelled"]))
    assert again["done"] == 3
    both = await starts(gateway, "cancel", metadata={"team": "a", "n": "1"})
    assert both["matched"] == 1


async def test_a_dry_run_counts_and_stores_nothing(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    body = {"action": "cancel", "filter": {"status": ["queued"]}, "reason": "x", "dryRun": True}
    response = await gateway.post("/v1/bulk", body)
    assert response.status_code == 200
    assert response.json() == {"action": "cancel", "matched": 1, "sample": [task["id"]]}
    assert (await gateway.get("/v1/bulk")).json()["data"] == []
    assert (await gateway.task(task["id"]))["status"] == "queued"


async def test_ops_name_one_project_and_others_only_their_own(gateway: GatewayHarness) -> None:
    ours, theirs = await gateway.create(), await gateway.create("other")
    for project, matched in ((None, 2), ("elsewhere", 1), ("nobody", 0)):
        wanted: Json = {"status": ["queued"]} | ({"project": project} if project else {})
        body = {"action": "cancel", "filter": wanted, "reason": "x", "dryRun": True}
        assert (await gateway.post("/v1/bulk", body, "ops")).json()["matched"] == matched
        query = f"?project={project}" if project else ""
        assert len((await gateway.get(f"/v1/tasks{query}", "ops")).json()["data"]) == matched
    await over(gateway, await starts(gateway, "cancel", "ops", project="elsewhere"), "ops")
    assert (await gateway.task(ours["id"]))["status"] == "queued"
    shown = await gateway.get(f"/v1/tasks/{theirs['id']}", "other")
    assert shown.json()["status"] == "cancelled"
    body = {"action": "cancel", "filter": {"project": "elsewhere"}, "reason": "x"}
    for refused in (await gateway.post("/v1/bulk", body), await gateway.get("/v1/tasks?project=x")):
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["path"] in {"$.filter.project", "?project"}


async def test_a_refused_task_is_named_with_its_code(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    begun = await starts(gateway, "retry", status=["queued"])
    shown = await over(gateway, begun)
    assert (shown["done"], shown["failed"]) == (0, 1)
    assert shown["failures"] == [{"taskId": task["id"], "code": "not_finished"}]


async def test_without_states_it_takes_those_that_the_action_is_for(
    gateway: GatewayHarness,
) -> None:
    """Nobody who forgets the states retries what has succeeded."""
    _, agent = await gateway.launch(metadata={"k": "v"})
    await agent.emit("task.completed", "m1", summary="ok")
    await gateway.create(metadata={"k": "v"})
    matched = {
        verb: (await starts(gateway, verb, metadata={"k": "v"}))["matched"]
        for verb in ("retry", "destroy", "cancel")
    }
    assert matched == {"retry": 0, "destroy": 1, "cancel": 1}


async def test_a_project_acts_on_its_own_tasks_and_sees_its_own_actions(
    gateway: GatewayHarness,
) -> None:
    task = await gateway.create()
    begun = await starts(gateway, "cancel", scope="other", status=["queued"])
    assert begun["matched"] == 0
    assert (await gateway.get(f"/v1/bulk/{begun['id']}")).status_code == 404
    assert (await gateway.post(f"/v1/bulk/{begun['id']}/abort")).status_code == 404
    assert (await gateway.get("/v1/bulk")).json()["data"] == []
    every = await starts(gateway, "cancel", scope="ops", status=["queued"])
    assert (await over(gateway, every, "ops"))["done"] == 1
    assert (await gateway.task(task["id"]))["status"] == "cancelled"
    listed = (await gateway.get("/v1/bulk?limit=1", "ops")).json()
    assert [each["id"] for each in listed["data"]] == [every["id"]]
    following = (await gateway.get(f"/v1/bulk?cursor={listed['nextCursor']}", "ops")).json()
    assert [each["id"] for each in following["data"]] == [begun["id"]]


async def test_the_same_request_is_one_action(gateway: GatewayHarness) -> None:
    await gateway.create()
    body = {"action": "cancel", "filter": {"status": ["queued"]}, "reason": "x"}
    first = await gateway.post("/v1/bulk", body, idempotency_key="k")
    second = await gateway.post("/v1/bulk", body, idempotency_key="k")
    assert second.headers["idempotent-replayed"] == "true"
    assert first.json() == second.json()
    assert len((await gateway.get("/v1/bulk")).json()["data"]) == 1


@pytest.mark.alike
@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"filter": {}}, "$.filter"),
        ({"filter": {"metadata": {}}}, "$.filter"),
        ({"filter": {"status": ["done"]}}, "$.filter.status[0]"),
        ({"filter": {"status": []}}, "$.filter.status"),
        ({"filter": {"createdAfter": "9500-01-01T00:00:00Z"}}, "$.filter.createdAfter"),
        ({"action": "purge"}, "$.action"),
        ({"reason": ""}, "$.reason"),
    ],
)
async def test_a_wrong_request_names_the_path(
    gateway: GatewayHarness, wrong: Json, path: str
) -> None:
    body: Json = {"action": "cancel", "filter": {"status": ["queued"]}, "reason": "x"}
    response = await gateway.post("/v1/bulk", body | wrong)
    assert response.status_code == 422
    assert path in [error["path"] for error in response.json()["errors"]]


async def test_what_was_begun_goes_on_after_a_restart(database: NewDatabase) -> None:
    """Its tasks are those of the beginning: what is created later is none of it."""
    async with open_gateway(database) as gateway:
        await asyncio.gather(*(gateway.create() for _ in range(120)))
        begun = await starts(gateway, "cancel", status=["queued"])
        assert begun["matched"] == 120
    async with open_gateway(database) as gateway:
        later = await gateway.create()
        shown = await over(gateway, begun)
        assert (shown["done"], shown["failed"]) == (120, 0)
        assert (await gateway.task(later["id"]))["status"] == "queued"
        cancelled = await gateway.get("/v1/events?limit=200&types=task.cancel_requested")
        assert len(cancelled.json()["data"]) == 120
    assert database.problems() == ()


async def test_a_kept_sandbox_goes_when_somebody_says_so(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(keepSandbox=True)
    await agent.emit("task.completed", "m1", summary="ok")
    assert await gateway.claim(capacity=0) == []
    await over(gateway, await starts(gateway, "destroy", provider="local"))
    (destroy,) = await gateway.claim(capacity=0)
    assert (destroy["kind"], destroy["taskId"]) == ("destroy", job["taskId"])


async def test_tasks_are_listed_by_provider_snapshot_and_launcher(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch(snapshot="s1")
    await gateway.create(snapshot="s2")
    for query in ("provider=local", "snapshot=s1", "launcherId=l1"):
        listed = (await gateway.get(f"/v1/tasks?{query}")).json()["data"]
        assert [task["id"] for task in listed] == [job["taskId"]], query


async def test_too_many_tasks_are_refused_with_a_way_out(gateway: GatewayHarness) -> None:
    await gateway.create()
    await gateway.create()
    body = {"action": "cancel", "filter": {"status": ["queued"]}, "reason": "x"}
    with gateway.limited_bulk(1):
        refused = await gateway.post("/v1/bulk", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_tasks")
    assert "createdAfter" in refused.json()["hint"]
    with gateway.limited_bulk(2):
        assert (await gateway.post("/v1/bulk", body)).status_code == 202
