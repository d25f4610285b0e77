"""Endpoints of format `slack`: bodies of an incoming webhook, and texts that mention nobody."""

import asyncio
from typing import Final

import httpx
import msgspec
import pytest

from gateway.domain.operations.alert import alert_id
from gateway.domain.tasks.event import Event
from gateway.web.deliveries import slack
from gateway.web.deliveries.messages import rendering
from gateway.wire.signing import secret_bytes, sign
from tests.stores import NewDatabase
from tests.web.callers import PUBLIC_URL, GatewayHarness, Json, open_gateway
from tests.web.contract import DOCUMENT, validator

HOOK: Final = "https://hooks.slack.example/services/T000/B000/hushhush"
EVIL: Final = "<!channel> <@U1> <https://evil.example|click> & *bold* | end"
PATIENCE: Final = 20
ALERT: Final = Event(
    task_id=alert_id("ops.queue_old"),
    task_seq=1,
    attempt=0,
    type="ops.queue_old",
    at=1_790_000_000_000,
    source="gateway",
    data=b'{"state":"firing","since":"2026-01-05T09:26:41.000Z","summary":"12 tasks wait",'
    b'"count":12,"example":"task_01k5yb2z7cfkh9dk5qjw9m3x4r","do":"slipgate launchers list"}',
    seq=7,
)


class Slack:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[httpx.Request] = asyncio.Queue()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await self.came.put(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"ok"))

    async def next(self) -> httpx.Request:
        async with asyncio.timeout(PATIENCE):
            return await self.came.get()


async def opens(gateway: GatewayHarness, **more: object) -> Json:
    wanted = {"url": HOOK, "format": "slack", **more}
    response = await gateway.post("/v1/endpoints", wanted, "ops")
    assert response.status_code == 201, response.text
    made: Json = response.json()
    return made


def texts(body: Json) -> list[str]:
    """All that Slack would read as mrkdwn."""
    blocks = [
        each["text"]
        for block in body["blocks"]
        for each in ([block["text"]] if "text" in block else block["elements"])
    ]
    return [body["text"], *blocks]


@pytest.mark.alike
async def test_an_end_reads_well_is_signed_and_mentions_nobody(database: NewDatabase) -> None:
    receiver = Slack()
    async with open_gateway(database, receivers=httpx.MockTransport(receiver)) as gateway:
        endpoint = await opens(gateway)
        job, agent = await gateway.launch(title=EVIL)
        error = {"stage": "push", "code": "push_failed", "message": EVIL, "retryable": False}
        await agent.emit("task.failed", "end", error=error)
        request = await receiver.next()
    headers, body = request.headers, msgspec.json.decode(request.content)
    stamp = int(headers["webhook-timestamp"])
    signature = sign(
        secret_bytes(endpoint["secret"]), headers["webhook-id"], stamp, request.content
    )
    assert signature == headers["webhook-signature"]
    assert {block["type"] for block in body["blocks"]} == {"section", "context"}
    page = f"{PUBLIC_URL}/dashboard/tasks/{job['taskId']}"
    (whole,) = [text for text in texts(body) if "push_failed" in text]
    assert f"<{page}|" in whole
    assert "GITHUB_TOKEN" in whole  # the advice
    for text in texts(body):
        assert "<!" not in text
        assert "<@" not in text
        assert "<https://evil" not in text
    assert any("slipgate tasks explain" in text for text in texts(body))


@pytest.mark.alike
async def test_its_address_is_shown_without_its_path_which_is_the_secret(
    database: NewDatabase,
) -> None:
    async with open_gateway(database) as gateway:
        made = await opens(gateway)
        path = f"/v1/endpoints/{made['id']}"
        patched = await gateway.send("PATCH", path, {"url": f"{HOOK}2"}, "ops")
        assert patched.status_code == 200, patched.text
        listed = await gateway.get("/v1/endpoints", "ops")
    shown = "https://hooks.slack.example/***"
    assert [made["url"], patched.json()["url"], listed.json()["data"][0]["url"]] == [shown] * 3
    assert made["format"] == listed.json()["data"][0]["format"] == "slack"
    assert made["eventTypes"] == [
        "task.completed",
        "task.needs_review",
        "task.failed",
        "task.timed_out",
        "task.expired",
    ]


@pytest.mark.alike
async def test_a_test_event_has_its_form_too(database: NewDatabase) -> None:
    receiver = Slack()
    async with open_gateway(database, receivers=httpx.MockTransport(receiver)) as gateway:
        made = await opens(gateway)
        await gateway.post(f"/v1/endpoints/{made['id']}/test", scope="ops")
        request = await receiver.next()
    assert "test" in msgspec.json.decode(request.content)["text"]


@pytest.mark.alike
async def test_an_alert_has_both_forms(database: NewDatabase) -> None:
    async with database.opened() as store:
        render = rendering(store.reads, PUBLIC_URL)
        told = msgspec.json.decode(await render(ALERT, None, "slack") or b"")
        body = msgspec.json.decode(await render(ALERT, None, "standard") or b"")
    assert "Ops queue old" in told["text"]
    assert any("`slipgate launchers list`" in text for text in texts(told))
    schema = DOCUMENT["components"]["schemas"]["AlertNotice"]
    validator(schema, is_strict=True).validate(body)
    assert body["data"]["state"] == body["data"]["event"]["data"]["state"] == "firing"
    assert body["data"]["event"]["taskId"] is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            EVIL,
            "&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil.example|click&gt; &amp; *bold* | end",
        ),
        ("two\nlines", "two lines"),
        ("<" * 400, "&lt;" * 299 + "…"),
    ],
    ids=["signs", "lines", "length"],
)
def test_a_text_of_others_is_escaped(text: str, shown: str) -> None:
    assert slack.escaped(text) == shown
