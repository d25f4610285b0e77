"""A task's history: pages, long polls, and streams that resume."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import pytest
from starlette.types import Message, Scope

from tests.web.callers import House, Json

PATIENCE: Final = 10
"""Seconds until a test gives up."""


async def test_events_are_oldest_first_and_numbered_without_gaps(house: House) -> None:
    job, agent = await house.launch()
    await agent.say("task.started", "m1")
    seen: list[Json] = []
    after = "0"
    while page := (await _events(house, job["taskId"], f"after={after}&limit=2"))["data"]:
        seen += page
        after = str(page[-1]["seq"])
    assert [event["taskSeq"] for event in seen] == list(range(1, len(seen) + 1))
    assert [seen[0]["type"], seen[-1]["type"]] == ["task.created", "task.started"]
    assert seen[-1]["source"] == "agent"
    assert (await _events(house, job["taskId"], f"after={after}"))["nextCursor"] == after


async def test_a_long_poll_answers_when_something_happens(house: House) -> None:
    task = await house.create()
    after = (await _events(house, task["id"]))["nextCursor"]
    waiting = asyncio.create_task(_events(house, task["id"], f"after={after}&wait=30"))
    await _until_listening(house)
    await house.post(f"/v1/tasks/{task['id']}/cancel")
    async with asyncio.timeout(PATIENCE):
        page = await waiting
    assert page["data"][0]["type"] == "task.cancel_requested"


@pytest.mark.parametrize("scope", ["tasks", "ops"])
async def test_the_feed_of_a_project_wakes_its_readers(house: House, scope: str) -> None:
    waiting = asyncio.create_task(house.get("/v1/events?wait=30", scope))
    await _until_listening(house)
    task = await house.create()
    async with asyncio.timeout(PATIENCE):
        page = (await waiting).json()
    assert [event["taskId"] for event in page["data"]] == [task["id"]]


async def test_a_feed_shows_no_other_project(house: House) -> None:
    await house.create()
    assert (await house.get("/v1/events", "other")).json()["data"] == []


@pytest.mark.parametrize("query", ["after=x", "after=-1", "wait=31", "limit=201", "from=1"])
async def test_a_wrong_query_is_refused(house: House, query: str) -> None:
    task = await house.create()
    response = await house.get(f"/v1/tasks/{task['id']}/events?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_a_stream_goes_on_live_and_resumes_behind_the_last_event(house: House) -> None:
    task = await house.create()
    async with _streamed(house, task["id"]) as events:
        first, created = await anext(events)
        assert created["type"] == "task.created"
        await house.post(f"/v1/tasks/{task['id']}/cancel")
        assert (await anext(events))[1]["type"] == "task.cancel_requested"
    async with _streamed(house, task["id"], last_event_id=first) as events:
        assert (await anext(events))[1]["type"] == "task.cancel_requested"


async def _events(house: House, task_id: str, query: str = "") -> Json:
    response = await house.get(f"/v1/tasks/{task_id}/events?{query}")
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


async def _until_listening(house: House) -> None:
    """A request that was begun before has come to its wait when a later one is answered."""
    for _ in range(3):
        await house.get("/v1/tasks?limit=1")


@asynccontextmanager
async def _streamed(
    house: House, task_id: str, last_event_id: str | None = None
) -> AsyncIterator[AsyncIterator[tuple[str, Json]]]:
    """The stream's (id, event) pairs. The client library's ASGI transport gathers a whole body,
    and a stream has no end: the application is called itself."""
    headers = house.bearer("tasks") | {"accept": "text/event-stream"}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": f"/v1/tasks/{task_id}/events",
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    call = asyncio.create_task(_run(house, scope, receive, sent))
    try:
        yield _pairs(sent)
    finally:
        gone.set()
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call


async def _run(house: House, scope: Scope, receive: object, sent: asyncio.Queue[Message]) -> None:
    await house.app(scope, receive, sent.put)  # type: ignore[arg-type]  # a receive channel


async def _pairs(sent: asyncio.Queue[Message]) -> AsyncIterator[tuple[str, Json]]:
    while True:
        async with asyncio.timeout(PATIENCE):
            text = (await sent.get()).get("body", b"").decode()
        for block in text.split("\r\n\r\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            assert "event" not in fields
            if "id" in fields:
                yield fields["id"], msgspec.json.decode(fields["data"])
