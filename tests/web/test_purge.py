"""A purge: nothing that anybody wrote is left in the database, and every read says so."""

import asyncio
from typing import Final

import httpx
import pytest

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway, sandbox_of

TEXT: Final = "a-text-that-has-to-go"
GONE: Final = ("logs", "patch", "receipts", "trajectory")
REASON: Final[Json] = {"reason": "personal data"}
RECEIPT: Final[Json] = {"command": TEXT, "exitCode": 1, "seconds": 1.0, "outputTail": TEXT}


async def worked(gateway: GatewayHarness) -> str:
    """An ended task that has said all that an agent can, and whose sandbox is gone; its id."""
    await gateway.post("/v1/endpoints", {"url": "https://app.example/hook"}, "ops")
    job, agent = await gateway.launch(title=TEXT, prompt=TEXT, env={"A": TEXT})
    await agent.emit("task.started", "m1")
    await agent.emit("task.progress", "m2", stage="agent", message=TEXT)
    await agent.emit("task.log", "m3", chunk=TEXT, offset=0)
    await agent.emit("task.patch", "m4", chunk=TEXT, offset=0, size=len(TEXT))
    await agent.emit("task.trajectory", "m5", chunk=TEXT, offset=0)
    word: Json = {"summary": TEXT, "validation": [RECEIPT], "patch": TEXT, "branchName": "b"}
    assert (await agent.emit("task.needs_review", "m6", **word)).status_code == 202
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    return str(job["taskId"])


def echo(request: httpx.Request) -> httpx.Response:
    """A receiver that answers with what it was sent."""
    return httpx.Response(200, content=request.content)


async def delivered(gateway: GatewayHarness, task_id: str) -> None:
    """Until every delivery of the task is over."""
    query = f"/v1/deliveries?taskId={task_id}&status=pending"
    async with asyncio.timeout(60):
        while (await gateway.get(query, "ops")).json()["data"]:
            pass


def places(database: NewDatabase) -> list[str]:
    """The tables with a row that holds the text."""
    return [
        table
        for table, rows in database.rows().items()
        if any(TEXT in str(cell) for row in rows for cell in row)
    ]


async def test_nothing_of_it_is_left_and_the_reads_say_so(database: NewDatabase) -> None:
    async with open_gateway(database, receivers=httpx.MockTransport(echo)) as gateway:
        task_id = await worked(gateway)
        await delivered(gateway, task_id)
        assert "events" in places(database)
        path = f"/v1/tasks/{task_id}"
        before = await gateway.task(task_id)
        seen = await gateway.get(f"{path}/events?limit=200", accept="application/json")
        response = await gateway.post(f"{path}/purge", REASON, "ops")
        assert response.status_code == 200, response.text
        task = response.json()
        assert task["purgedAt"] is not None
        assert (task["prompt"], task["title"], task["message"]) == ("", "(purged)", None)
        for name in ("status", "attempt", "usage", "branchName", "finishedAt", "stage"):
            assert task[name] == before[name]
        for name in GONE:
            refused = await gateway.get(f"{path}/{name}")
            assert (refused.status_code, refused.json()["code"]) == (410, "task_purged"), name
        events = (await gateway.get(f"{path}/events?limit=200")).json()["data"]
        kept = [event["type"] for event in seen.json()["data"]]
        assert [event["type"] for event in events] == [*kept, "task.purged"]
        assert events[-1]["data"] == {"by": "key:key_3", **REASON}
        assert (await gateway.get(f"{path}/explain")).status_code == 200
        await delivered(gateway, task_id)
    assert places(database) == []
    assert database.problems() == ()


@pytest.mark.parametrize("again", ["retry", "continueOf"])
async def test_a_purged_task_is_the_end(gateway: GatewayHarness, again: str) -> None:
    task_id = await worked(gateway)
    await gateway.post(f"/v1/tasks/{task_id}/purge", REASON, "ops")
    if again == "retry":
        refused = await gateway.post(f"/v1/tasks/{task_id}/retry")
    else:
        refused = await gateway.post("/v1/tasks", {"prompt": "go on", "continueOf": task_id})
    assert (refused.status_code, refused.json()["code"]) == (410, "task_purged")


async def test_only_ops_purge_and_only_what_is_over(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    path = f"/v1/tasks/{task['id']}/purge"
    assert (await gateway.post(path, REASON)).status_code == 403
    living = await gateway.post(path, REASON, "ops")
    assert (living.status_code, living.json()["code"]) == (409, "not_finished")
    assert (await gateway.post(path, {}, "ops")).status_code == 422


async def test_a_page_of_a_stream_that_was_kept_is_forgotten(gateway: GatewayHarness) -> None:
    """Streams share the pages that were read: none may go on telling what is gone."""
    task_id = await worked(gateway)
    pages = gateway.app.context.pages  # type: ignore[attr-defined]
    read = gateway.app.context.reads.events_of_project  # type: ignore[attr-defined]

    async def told() -> bytes:
        page = await pages.behind(
            "feed", 0, lambda: read("default", None, after=0, limit=200), version=0
        )
        return b"".join(page.chunks)

    assert TEXT.encode() in await told()
    await gateway.post(f"/v1/tasks/{task_id}/purge", REASON, "ops")
    assert TEXT.encode() not in await told()
