"""Webhooks at a `callbackUrl` are those that the OpenAPI document describes."""

import asyncio
from typing import Final

import httpx
import pytest

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.sealing import callback_secret_context
from tests.databases import open_project
from tests.stores import NewDatabase
from tests.web.callers import Json, open_gateway
from tests.web.contract import DOCUMENT, validator

PATIENCE: Final = 60
"""Seconds until a test gives up."""
OF_EVERY_CLIENT: Final = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
}


@pytest.mark.alike
async def test_a_callback_is_the_documented_one(database: NewDatabase) -> None:
    context = callback_secret_context("default")
    sealed = Keyring({"k1": b"m" * 32}).seal(b"s" * 32, context=context, nonce=b"n" * 12)
    open_project(database.location, sealed)
    posted: asyncio.Queue[httpx.Request] = asyncio.Queue()

    async def receive(request: httpx.Request) -> httpx.Response:
        await posted.put(request)
        return httpx.Response(204)

    async with open_gateway(database, receivers=httpx.MockTransport(receive)) as gateway:
        task = await gateway.create(callbackUrl="https://app.example/api/hook?bypass=1")
        async with asyncio.timeout(PATIENCE):
            request = await posted.get()
    assert request.url == "https://app.example/api/hook?bypass=1"
    (promised,) = _promised().values()
    content = promised["post"]["requestBody"]["content"]["application/json"]
    for body in (httpx.Response(200, content=request.content).json(), content["example"]):
        validator(content["schema"], is_strict=True).validate(body)
        assert body["data"]["event"]["type"] == body["type"]
    assert task["id"] in request.content.decode()
    named = [parameter["$ref"] for parameter in promised["post"]["parameters"]]
    known = {f"#/components/parameters/{name}": it for name, it in _parameters().items()}
    headers = {known[reference]["name"]: known[reference] for reference in named}
    assert set(request.headers) <= headers.keys() | OF_EVERY_CLIENT
    assert {name for name, header in headers.items() if header["required"]} <= set(request.headers)
    for name in headers.keys() & set(request.headers):
        assert validator(headers[name]["schema"]).is_valid(request.headers[name])


def _parameters() -> Json:
    parameters: Json = DOCUMENT["components"]["parameters"]
    return parameters


def _promised() -> Json:
    promised: Json = DOCUMENT["paths"]["/v1/tasks"]["post"]["callbacks"]["receiveEvent"]
    return promised
