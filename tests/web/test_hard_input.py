"""Hostile or careless requests get the right error code, and nothing of them is kept."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
import structlog
from starlette.types import Message, Scope
from structlog.testing import capture_logs

from tests.stores import NewDatabase
from tests.web.callers import TASK, GatewayHarness, open_gateway, sandbox_of


@pytest.fixture
def lines() -> Iterator[list[structlog.typing.EventDict]]:
    """The log entries; those of a session come at any time."""
    structlog.reset_defaults()
    with capture_logs(processors=[_without_sessions]) as captured:
        yield captured


def _without_sessions(
    _logger: object, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if line["event"].startswith("session."):
        raise structlog.DropEvent
    return line


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00"])
@pytest.mark.alike
async def test_a_moment_no_clock_can_reach_is_refused_and_nothing_is_stored(
    gateway: GatewayHarness, moment: str
) -> None:
    response = await gateway.post("/v1/tasks", TASK | {"notBefore": moment})
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == ["$.notBefore"]
    assert (await gateway.get("/v1/tasks")).json()["data"] == []


async def test_a_moment_of_long_ago_is_now(gateway: GatewayHarness) -> None:
    task = await gateway.create(notBefore="0001-01-01T00:00:00+14:00")
    assert task["nextDeadline"]["at"] > task["createdAt"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/launching", 404),
        ("POST", "/v1/launcher/nothing", 404),
        ("GET", "/v1/launcher/claim", 405),
        ("GET", "/v1/tasks/", 404),
        ("POST", "/v1/tasks/", 404),
    ],
)
@pytest.mark.alike
async def test_no_route_crashes_or_redirects(
    gateway: GatewayHarness, method: str, path: str, status: int
) -> None:
    response = await gateway.http.request(method, path)
    assert response.status_code == status
    assert response.json()["requestId"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "report",
    [{"spoolOffset": 2**63}, {"process": {"state": "exited", "exitCode": 2**63}}],
    ids=["offset", "exit code"],
)
@pytest.mark.alike
async def test_a_number_no_database_holds_is_refused(
    gateway: GatewayHarness, report: dict[str, object]
) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    response = await gateway.report(job, "done", sandbox=sandbox_of(job), **report)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("number", ["1e999", "9" * 5_000], ids=["float", "integer"])
@pytest.mark.alike
async def test_a_number_out_of_range_is_named_by_its_path(
    gateway: GatewayHarness, number: str
) -> None:
    body = f'{{"repoUrl": "https://github.com/a/b", "prompt": "x", "priority": {number}}}'
    headers = gateway.bearer("tasks") | {"content-type": "application/json"}
    response = await gateway.http.post("/v1/tasks", content=body, headers=headers)
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == ["$.priority"]


@pytest.mark.parametrize("junk", ["", "!", "=", "\u00e9"])
@pytest.mark.alike
async def test_a_cursor_is_taken_only_as_it_was_given(gateway: GatewayHarness, junk: str) -> None:
    for _ in range(2):
        await gateway.create()
    cursor = (await gateway.get("/v1/tasks?limit=1")).json()["nextCursor"]
    broken = f"{cursor}{junk}" if junk else ""
    response = await gateway.get(f"/v1/tasks?limit=1&cursor={broken}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"{", 400, "invalid_json"), (b'{"force": true}', 422, "invalid_request")],
)
@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.alike
async def test_a_body_nobody_asked_for_is_refused(
    gateway: GatewayHarness, verb: str, body: bytes, status: int, code: str
) -> None:
    task = await gateway.create()
    headers = gateway.bearer("tasks") | {"content-type": "application/json"}
    path = f"/v1/tasks/{task['id']}/{verb}"
    response = await gateway.http.post(path, content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_an_empty_form_still_cancels(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    headers = gateway.bearer("tasks") | {"content-type": "application/x-www-form-urlencoded"}
    response = await gateway.http.post(f"/v1/tasks/{task['id']}/cancel", headers=headers)
    assert response.status_code == 202


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01; rm -rf", False),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", False),
        ("x" * 5_000, False),
    ],
    ids=["sane", "more behind it", "the trace of zeros", "long"],
)
@pytest.mark.alike
async def test_only_a_sane_trace_reaches_the_sandbox(
    gateway: GatewayHarness, given: str, is_kept: bool
) -> None:
    await gateway.post("/v1/tasks", TASK, traceparent=given)
    (job,) = await gateway.claim()
    assert (job["env"].get("TRACEPARENT") == given) == is_kept
    assert is_kept or "TRACEPARENT" not in job["env"]


@pytest.mark.parametrize("last", ["9" * 19, "9" * 30])
async def test_a_stream_resumed_behind_every_number_waits(
    gateway: GatewayHarness, last: str
) -> None:
    task = await gateway.create()
    headers = gateway.bearer("tasks") | {"accept": "text/event-stream", "last-event-id": last}
    response = await gateway.http.get(f"/v1/tasks/{task['id']}/events", headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.alike
async def test_the_line_of_a_request_says_who_asked_and_what_was_refused(
    gateway: GatewayHarness, lines: list[structlog.typing.EventDict]
) -> None:
    await gateway.get("/v1/tasks")
    await gateway.get("/v1/tasks/task_0", "ops")
    await gateway.http.get("/v1/tasks")
    await gateway.http.get("/healthz")  # probes would fill it
    await gateway.http.get("/nowhere")
    taken, missing, unknown, nowhere = [line for line in lines if line["event"] == "request"]
    assert (taken["project"], taken["key"][:4], "code" in taken) == ("default", "key_", False)
    assert (missing["project"], missing["code"]) == (None, "not_found")
    assert (unknown["code"], nowhere["code"]) == ("unauthorized", "not_found")
    assert "key" not in unknown


@pytest.mark.alike
async def test_whoever_comes_when_all_places_are_taken_is_told_when_to_come_again(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, max_requests=1) as gateway:
        task = await gateway.create()
        path = f"/v1/tasks/{task['id']}/events?after=1&wait=30"
        waiting = asyncio.create_task(gateway.get(path))
        await asyncio.sleep(0)
        refused = await gateway.get("/v1/tasks")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await gateway.http.get("/healthz")).status_code == 200
        waiting.cancel()
        await asyncio.wait({waiting})
        assert (await gateway.get("/v1/tasks")).status_code == 200


@pytest.mark.alike
async def test_a_caller_who_hangs_up_leaves_one_line(
    gateway: GatewayHarness, lines: list[structlog.typing.EventDict]
) -> None:
    await _half_a_request(gateway, [{"type": "http.disconnect"}])
    assert [line["event"] for line in lines] == ["request"]
    assert lines[0]["status"] == 499


@pytest.mark.alike
async def test_a_request_that_is_cut_off_leaves_one_line(
    gateway: GatewayHarness, lines: list[structlog.typing.EventDict]
) -> None:
    call = asyncio.create_task(_half_a_request(gateway, []))
    await asyncio.sleep(0)
    await gateway.http.get("/healthz")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [line["path"] for line in lines] == ["/v1/tasks"]


async def _half_a_request(gateway: GatewayHarness, behind: list[Message]) -> None:
    """The first bytes of a body, then these messages, then silence."""
    headers = gateway.bearer("tasks") | {"content-length": "100"}
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/tasks",
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    messages: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        *behind,
    ]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError(f"nobody is there to hear {message}")

    await gateway.app(scope, receive, send)


@pytest.mark.parametrize("declared", ["9" * 19, "9" * 5_000])
@pytest.mark.alike
async def test_a_length_nobody_can_send_is_too_large(
    gateway: GatewayHarness, declared: str
) -> None:
    headers = gateway.bearer("tasks") | {"content-length": declared}
    response = await gateway.http.post("/v1/tasks", content=b"{}", headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.alike
async def test_a_event_too_deep_for_its_readers_is_refused(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    deep = msgspec.Raw(b"[" * 900 + b"]" * 900)
    response = await agent.emit("task.heartbeat", "m1", x=deep)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_json")
    for path in ("", "/events", "/explain"):
        assert (await gateway.get(f"/v1/tasks/{job['taskId']}{path}")).status_code == 200
