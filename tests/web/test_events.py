"""A task's history: pages, long polls, and streams that resume."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.ledger import wall_clock
from gateway.notifier import Notifier
from gateway.store.records import FeedPage
from gateway.web.context import Context
from gateway.web.tasks.events import Feed, wait_for_page
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, beside, open_gateway
from tests.web.streams import PATIENCE, streamed


async def test_events_are_oldest_first_and_numbered_without_gaps(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m1")
    seen: list[Json] = []
    after = "0"
    while page := (await _events(gateway, job["taskId"], f"after={after}&limit=2"))["data"]:
        seen += page
        after = str(page[-1]["seq"])
    assert [event["taskSeq"] for event in seen] == list(range(1, len(seen) + 1))
    assert [seen[0]["type"], seen[-1]["type"]] == ["task.created", "task.started"]
    assert seen[-1]["source"] == "agent"
    assert (await _events(gateway, job["taskId"], f"after={after}"))["nextCursor"] == after


async def test_a_long_poll_answers_when_something_happens(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    after = (await _events(gateway, task["id"]))["nextCursor"]
    waiting = asyncio.create_task(_events(gateway, task["id"], f"after={after}&wait=30"))
    await _until_listening(gateway)
    await gateway.post(f"/v1/tasks/{task['id']}/cancel")
    async with asyncio.timeout(PATIENCE):
        page = await waiting
    assert page["data"][0]["type"] == "task.cancel_requested"


@pytest.mark.parametrize("scope", ["tasks", "ops"])
async def test_the_feed_of_a_project_wakes_its_readers(gateway: GatewayHarness, scope: str) -> None:
    waiting = asyncio.create_task(gateway.get("/v1/events?wait=30", scope))
    await _until_listening(gateway)
    task = await gateway.create()
    async with asyncio.timeout(PATIENCE):
        page = (await waiting).json()
    assert [event["taskId"] for event in page["data"]] == [task["id"]]


async def test_a_feed_shows_no_other_project(gateway: GatewayHarness) -> None:
    await gateway.create()
    assert (await gateway.get("/v1/events", "other")).json()["data"] == []


@pytest.mark.alike
@pytest.mark.parametrize("query", ["after=x", "after=-1", "wait=31", "limit=201", "from=1"])
async def test_a_wrong_query_is_refused(gateway: GatewayHarness, query: str) -> None:
    task = await gateway.create()
    response = await gateway.get(f"/v1/tasks/{task['id']}/events?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_a_stream_goes_on_live_and_resumes_behind_the_last_event(
    gateway: GatewayHarness,
) -> None:
    task = await gateway.create()
    path, key = f"/v1/tasks/{task['id']}/events", gateway.bearer("tasks")
    async with streamed(gateway, path, headers=key) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = stream.pairs()
        first, created = await anext(events)
        assert (created["type"], first) == ("task.created", str(created["seq"]))
        await gateway.post(f"/v1/tasks/{task['id']}/cancel")
        assert (await anext(events))[1]["type"] == "task.cancel_requested"
    async with streamed(gateway, path, headers=key | {"last-event-id": first}) as stream:
        assert (await anext(stream.pairs()))[1]["type"] == "task.cancel_requested"


async def test_a_stream_whose_key_is_revoked_ends_before_anything_more_is_sent(
    database: NewDatabase,
) -> None:
    now = [wall_clock()]
    async with open_gateway(database, clock=lambda: now[0]) as gateway:
        task = await gateway.create()
        path, key = f"/v1/tasks/{task['id']}/events", gateway.bearer("read")
        async with streamed(gateway, path, headers=key) as stream:
            events = stream.pairs()
            assert (await anext(events))[1]["type"] == "task.created"
            revoked = f"UPDATE api_keys SET revoked_at = {now[0]} WHERE scope = 'read'"  # noqa: S608
            await beside(database, revoked)
            now[0] += 1_000
            await gateway.post(f"/v1/tasks/{task['id']}/cancel")
            assert [event async for _, event in events] == []


async def test_poll_and_stream_share_one_cursor_and_last_event_id_wins(
    gateway: GatewayHarness,
) -> None:
    task = await gateway.create()
    await gateway.post(f"/v1/tasks/{task['id']}/cancel")
    seqs = [event["seq"] for event in (await _feed(gateway))["data"]]
    last = {"last-event-id": str(seqs[1])}
    async with streamed(gateway, "/v1/events", "after=0", gateway.bearer("read") | last) as stream:
        assert (await anext(stream.pairs()))[0] == str(seqs[2])
    assert (await _feed(gateway, f"after={seqs[1]}"))["data"][0]["seq"] == seqs[2]


async def test_an_event_of_several_lines_is_streamed_as_one(gateway: GatewayHarness) -> None:
    """An agent's JSON is kept as it came, its line breaks too."""
    job, agent = await gateway.launch()
    body = agent.body("task.progress", stage="setup", message="a\nb").replace(b",", b",\r\n ")
    assert (await agent.send(body, "m1")).status_code == 202
    path = f"/v1/tasks/{job['taskId']}/events"
    (kept,) = (await _feed(gateway, "types=task.progress"))["data"]
    after = f"after={kept['seq'] - 1}"
    async with streamed(gateway, path, after, gateway.bearer("tasks")) as stream:
        assert (await anext(stream.pairs()))[1] == kept


async def test_a_stream_has_no_body_for_a_head(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    for path in (f"/v1/tasks/{task['id']}/events", "/v1/events"):
        headers = gateway.bearer("read") | {"accept": "text/event-stream"}
        answer = await gateway.http.head(path, headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        polled = await gateway.http.head(f"{path}?after=9&wait=30", headers=gateway.bearer("read"))
        assert (answer.status_code, polled.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("task.created", ["task.created"]),
        ("task.*", ["task.created", "task.cancel_requested", "task.cancelled"]),
        ("*", ["task.created", "task.cancel_requested", "task.cancelled"]),
        ("sandbox.*,task.cancelled", ["task.cancelled"]),
        ("sandbox.*", []),
    ],
)
async def test_a_feed_of_some_types_moves_past_all_others(
    gateway: GatewayHarness, types: str, expected: list[str]
) -> None:
    task = await gateway.create()
    await gateway.post(f"/v1/tasks/{task['id']}/cancel")
    newest = (await _feed(gateway))["nextCursor"]
    page = await _feed(gateway, f"types={types}")
    assert [event["type"] for event in page["data"]] == expected
    assert page["nextCursor"] == newest
    assert await _feed(gateway, f"types={types}&after={newest}") == {
        "data": [],
        "nextCursor": newest,
    }


async def test_a_long_poll_waits_on_through_what_nobody_asked_for(gateway: GatewayHarness) -> None:
    waiting = asyncio.create_task(_feed(gateway, "types=task.cancelled&wait=30"))
    task = await gateway.create()
    for _ in range(2):
        await _until_listening(gateway)
        await gateway.create()
    assert not waiting.done()
    await gateway.post(f"/v1/tasks/{task['id']}/cancel")
    async with asyncio.timeout(PATIENCE):
        page = await waiting
    assert [event["type"] for event in page["data"]] == ["task.cancelled"]
    assert page["nextCursor"] == str(page["data"][0]["seq"])


async def test_a_long_poll_for_a_rare_type_does_not_read_at_every_event() -> None:
    notifier, reads = Notifier(), 0

    async def read(after: int, _limit: int) -> FeedPage:
        nonlocal reads
        reads += 1
        return FeedPage(events=(), cursor=after, is_end=True)

    async def keep_notifying() -> None:
        while True:
            notifier.notify(("project:a",))
            await asyncio.sleep(0.001)

    feed = Feed(topic="project:a", name="a", read=read)
    context = cast("Context", SimpleNamespace(notifier=notifier, is_draining=lambda: False))
    events = asyncio.create_task(keep_notifying())
    await wait_for_page(context, feed, await read(0, 50), 50, seconds=0.3)
    events.cancel()
    assert reads < 8


async def test_a_long_poll_that_nothing_ends_answers_with_a_cursor(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    after = (await _events(gateway, task["id"]))["nextCursor"]
    page = await _events(gateway, task["id"], f"after={after}&wait=1")
    assert page == {"data": [], "nextCursor": after}


async def test_a_cursor_older_than_what_is_kept_has_expired(
    gateway: GatewayHarness, database: NewDatabase
) -> None:
    task = await gateway.create()
    await gateway.post("/v1/tasks", {"repoUrl": "https://a.example/b", "prompt": "x"}, "other")
    seq = (await _feed(gateway))["data"][0]["seq"]
    pruned = f"INSERT INTO pruned (project, seq) VALUES ('default', {seq})"  # noqa: S608
    await beside(database, pruned)
    for scope in ("tasks", "ops"):
        for query in ("after=0", f"after={seq - 1}&types=sandbox.*", f"after={seq - 1}&wait=30"):
            gone = await gateway.get(f"/v1/events?{query}", scope)
            assert (gone.status_code, gone.json()["code"]) == (410, "cursor_expired")
            assert "after" in gone.json()["hint"]
    accept = {"accept": "text/event-stream"}
    last = {"last-event-id": "0"}
    gone = await gateway.http.get("/v1/events", headers=gateway.bearer("tasks") | accept | last)
    assert (gone.status_code, gone.json()["code"]) == (410, "cursor_expired")
    assert (await _feed(gateway, f"after={seq}"))["nextCursor"] > str(seq)
    assert (await _feed(gateway))["data"][0]["taskId"] == task["id"]
    assert (await gateway.get("/v1/events?after=0", "other")).status_code == 200
    assert (await gateway.get(f"/v1/tasks/{task['id']}/events?after=0")).status_code == 200


@pytest.mark.alike
@pytest.mark.parametrize("types", ["task", "task.nonsense", "tasks*", "", "task.*,", "*.created"])
async def test_a_pattern_that_means_no_type_is_refused(gateway: GatewayHarness, types: str) -> None:
    response = await gateway.get(f"/v1/events?types={types}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["path"] == "?types"


async def _feed(gateway: GatewayHarness, query: str = "") -> Json:
    response = await gateway.get(f"/v1/events?{query}")
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


async def _events(gateway: GatewayHarness, task_id: str, query: str = "") -> Json:
    response = await gateway.get(f"/v1/tasks/{task_id}/events?{query}")
    assert response.status_code == 200, response.text
    page: Json = response.json()
    return page


async def _until_listening(gateway: GatewayHarness) -> None:
    """A request that was begun before has come to its wait when a later one is answered."""
    for _ in range(3):
        await gateway.get("/v1/tasks?limit=1")
