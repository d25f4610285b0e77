"""Events about an endpoint, delivered to the other endpoints of its project."""

import asyncio
from typing import Final

import httpx
import pytest

from gateway.wire.signing import secret_bytes, sign
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway
from tests.web.contract import DOCUMENT, validator

PATIENCE: Final = 60
"""Seconds until a test gives up."""
NOTICE: Final[Json] = DOCUMENT["paths"]["/v1/endpoints"]["post"]["callbacks"][
    "receiveEndpointEvent"
]["{$request.body#/url}"]["post"]["requestBody"]["content"]["application/json"]


class Receivers:
    """One that has had enough until it is mended, and one that is told."""

    def __init__(self) -> None:
        self.is_mended = False
        self.told: asyncio.Queue[httpx.Request] = asyncio.Queue()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        status = 204
        if request.url.host == "ops.example":
            await self.told.put(request)
        elif not self.is_mended:
            status = 410
        return httpx.Response(status, stream=httpx.ByteStream(b""))

    async def next(self) -> httpx.Request:
        """The next webhook."""
        async with asyncio.timeout(PATIENCE):
            return await self.told.get()


async def opens(gateway: GatewayHarness, url: str, *types: str) -> Json:
    response = await gateway.post("/v1/endpoints", {"url": url, "eventTypes": types}, "ops")
    assert response.status_code == 201, response.text
    made: Json = response.json()
    return made


def body_of(request: httpx.Request) -> Json:
    body: Json = httpx.Response(200, content=request.content).json()
    validator(NOTICE["schema"], is_strict=True).validate(body)
    return body


def test_the_documented_notice_is_one() -> None:
    validator(NOTICE["schema"], is_strict=True).validate(NOTICE["example"])


async def test_a_notice_is_signed_and_names_the_endpoint_and_no_task(database: NewDatabase) -> None:
    receivers = Receivers()
    async with open_gateway(database, receivers=httpx.MockTransport(receivers)) as gateway:
        gone = await opens(gateway, "https://app.example/hook?token=hush", "*")
        watcher = await opens(gateway, "https://ops.example/hook", "endpoint.*")
        await gateway.create()
        request = await receivers.next()
        receivers.is_mended = True
        await gateway.post(f"/v1/endpoints/{gone['id']}/enable", {}, "ops")
        recovered = body_of(await receivers.next())
        feed = (await gateway.get("/v1/events?types=endpoint.*")).json()["data"]
        path = f"/v1/deliveries?endpointId={watcher['id']}"
        deliveries = (await gateway.get(path, "ops")).json()["data"]
    headers, disabled = request.headers, body_of(request)
    stamp = int(headers["webhook-timestamp"])
    signature = sign(secret_bytes(watcher["secret"]), headers["webhook-id"], stamp, request.content)
    assert signature == headers["webhook-signature"]
    assert b"hush" not in request.content
    data = disabled["data"]
    assert (disabled["type"], data["event"]["id"]) == ("endpoint.disabled", headers["webhook-id"])
    told = data["endpoint"]
    assert (told["id"], told["origin"]) == (gone["id"], "https://app.example")
    assert (told["enabled"], told["reason"]) == (False, "gone")
    assert data["event"]["data"] == {"endpoint": told}
    assert (recovered["type"], recovered["data"]["endpoint"]["id"]) == (
        "endpoint.recovered",
        gone["id"],
    )
    assert feed == [data["event"], recovered["data"]["event"]]
    assert [feed[0][name] for name in ("taskId", "taskSeq", "attempt")] == [None] * 3
    assert [(each["type"], each["taskId"]) for each in deliveries] == [
        ("endpoint.recovered", None),
        ("endpoint.disabled", None),
    ]


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [("", False), ("?types=task.*", False), ("?types=*", True), ("?types=endpoint.*", True)],
    ids=["of all tasks", "of tasks", "everything", "of endpoints"],
)
async def test_a_feed_shows_events_about_endpoints_to_whoever_asks(
    database: NewDatabase, query: str, is_shown: bool
) -> None:
    async with open_gateway(database) as gateway:
        made = await opens(gateway, "https://app.example/hook", "task.created")
        await gateway.create()
        await gateway.post(f"/v1/endpoints/{made['id']}/disable", scope="ops")
        feed = (await gateway.get(f"/v1/events{query}")).json()["data"]
    assert ("endpoint.disabled" in {event["type"] for event in feed}) is is_shown


async def test_a_reader_of_the_feed_is_woken_by_them(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        made = await opens(gateway, "https://app.example/hook", "task.created")
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            waiting = group.create_task(gateway.get("/v1/events?types=endpoint.*&wait=30"))
            await asyncio.sleep(0)
            await gateway.post(f"/v1/endpoints/{made['id']}/disable", scope="ops")
        (event,) = waiting.result().json()["data"]
    assert event["data"]["endpoint"]["id"] == made["id"]


async def test_those_of_another_project_are_not_shown(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        wanted = {"url": "https://app.example/hook", "project": "other"}
        made = (await gateway.post("/v1/endpoints", wanted, "ops")).json()
        await gateway.post(f"/v1/endpoints/{made['id']}/disable", scope="ops")
        own = (await gateway.get("/v1/events?types=endpoint.*")).json()["data"]
        of_all = (await gateway.get("/v1/events?types=endpoint.*", "ops")).json()["data"]
    assert (own, len(of_all)) == ([], 1)
