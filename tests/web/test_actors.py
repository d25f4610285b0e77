"""The actor of an event: the key that asked, the launcher, or the kind of its source."""

from tests.web.callers import SCOPES, GatewayHarness, Json, sandbox_of

TASKS, OPS = (f"key:key_{SCOPES.index(scope)}" for scope in ("tasks", "ops"))


async def actors(gateway: GatewayHarness, task_id: str) -> list[tuple[str, str]]:
    """The type and the actor of each event."""
    events: list[Json] = (await gateway.get(f"/v1/tasks/{task_id}/events?limit=200")).json()["data"]
    return [(event["type"].removeprefix("task."), event["actor"]) for event in events]


async def test_each_event_names_the_one_who_caused_it(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    task_id = job["taskId"]
    path = f"/v1/tasks/{task_id}"
    await agent.emit("task.started", "m1")
    await gateway.post(f"{path}/cancel", {"reason": "x"})
    await agent.emit("task.failed", "m2", error={"stage": "a", "code": "b", "message": "c"})
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    await gateway.post(f"{path}/purge", {"reason": "x"}, "ops")
    found = await actors(gateway, task_id)
    assert [pair for pair in found if pair[0] not in {"sandbox.state", "stalled"}] == [
        ("created", TASKS),
        ("launching", "launcher:l1"),
        ("sandbox.trying", "launcher:l1"),
        ("sandbox.created", "launcher:l1"),
        ("launched", "launcher:l1"),
        ("started", "agent"),
        ("cancel_requested", TASKS),
        ("cancelled", "agent"),
        ("sandbox.destroyed", "gateway"),
        ("purged", OPS),
    ]


async def test_a_bulk_action_is_that_of_its_key(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    body = {"action": "cancel", "filter": {"status": ["queued"]}, "reason": "x"}
    await gateway.post("/v1/bulk", body, "ops")
    while (await gateway.task(task["id"]))["status"] == "queued":
        pass
    assert ("cancel_requested", OPS) in await actors(gateway, task["id"])
