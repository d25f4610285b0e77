"""Endpoints are disabled after 410, and slowed down after `Retry-After`."""

import asyncio
from collections.abc import Callable
from typing import Final

import httpx
import pytest

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway

PATIENCE: Final = 30
"""Seconds until a test gives up."""


async def comes(gateway: GatewayHarness, path: str, is_so: Callable[[Json], bool]) -> Json:
    """The representation as soon as the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: Json = (await gateway.get(path, "ops")).json()
            if is_so(found):
                return found
            await asyncio.sleep(0.01)


async def opens(gateway: GatewayHarness, url: str) -> str:
    response = await gateway.post("/v1/endpoints", {"url": url}, "ops")
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def test_a_receiver_that_says_410_is_asked_once_and_its_events_are_held(
    database: NewDatabase,
) -> None:
    asked: list[httpx.Request] = []

    async def receive(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(410, stream=httpx.ByteStream(b"no more"))

    async with open_gateway(database, receivers=httpx.MockTransport(receive)) as gateway:
        endpoint = await opens(gateway, "https://app.example/hook")
        task = await gateway.create()
        shown = await comes(
            gateway, f"/v1/endpoints/{endpoint}", lambda found: found["enabled"] is False
        )
        assert shown["disabledReason"] == "gone"
        assert shown["failingSince"] is not None
        await gateway.post(f"/v1/tasks/{task['id']}/cancel", {})
        listed = await comes(
            gateway,
            f"/v1/deliveries?endpointId={endpoint}&status=held",
            lambda found: bool(found["data"]),
        )
    assert {each["taskId"] for each in listed["data"]} == {task["id"]}
    assert len(asked) == 1


@pytest.mark.alike
async def test_endpoints_that_hang_hold_up_no_other(database: NewDatabase) -> None:
    hung = asyncio.Event()
    received: asyncio.Queue[str] = asyncio.Queue()

    async def receive(request: httpx.Request) -> httpx.Response:
        if request.url.host.startswith("hangs"):
            await hung.wait()
        else:
            await received.put(request.headers["webhook-id"])
        return httpx.Response(204, stream=httpx.ByteStream(b""))

    async with open_gateway(database, receivers=httpx.MockTransport(receive)) as gateway:
        for number in range(10):
            await opens(gateway, f"https://hangs{number}.example/hook")
        await opens(gateway, "https://app.example/hook")
        for _ in range(30):
            await gateway.create()
        async with asyncio.timeout(PATIENCE):
            got = {await received.get() for _ in range(30)}
        assert not hung.is_set()
        hung.set()
    assert len(got) == 30
