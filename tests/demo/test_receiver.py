"""The receiver takes what is signed, once, and nothing else."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.demo.receiver import Receiver
from gateway.demo.serve import serving
from gateway.wire.signing import sign

SECRET = b"s" * 32
NOW = 1_790_000_000
BODY = b'{"type":"task.completed","timestamp":"2026-09-21T14:13:20.000Z","data":{}}'


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(secret=lambda: SECRET, now=lambda: NOW)


@pytest.fixture
async def client(receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(receiver.app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as opened,
    ):
        yield opened


async def post(
    client: httpx.AsyncClient, *, name: str = "evt_1", secret: bytes = SECRET, at: int = NOW
) -> int:
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secret, name, at, BODY),
    }
    return (await client.post("/hook?bypass=secret", content=BODY, headers=headers)).status_code


async def test_a_signed_webhook_is_kept_byte_for_byte(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    assert await post(client) == 204
    assert [(one.id, one.type, one.body) for one in receiver.received] == [
        ("evt_1", "task.completed", BODY)
    ]
    assert (await client.get("/received")).json()["data"][0]["id"] == "evt_1"


async def test_a_webhook_that_comes_twice_is_kept_once(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    assert [await post(client), await post(client)] == [204, 204]
    assert (len(receiver.received), receiver.duplicates) == (1, 1)


async def test_a_wrong_or_old_signature_is_refused(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    assert await post(client, secret=b"x" * 32) == 401
    assert await post(client, at=NOW - 301) == 401
    assert (await client.post("/hook", content=BODY)).status_code == 401
    assert (receiver.received, receiver.refused) == ((), 3)


async def test_nothing_is_believed_before_a_secret_is_known() -> None:
    receiver = Receiver(secret=lambda: None, now=lambda: NOW)
    async with (
        serving(receiver.app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client,
    ):
        assert await post(client) == 401


async def test_whoever_waits_is_told_when_it_comes(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    waiting = asyncio.create_task(
        receiver.wait_for(lambda one: one.type == "task.completed", seconds=60)
    )
    assert await post(client) == 204
    assert (await waiting).id == "evt_1"


async def test_whoever_waits_in_vain_is_told_too(receiver: Receiver) -> None:
    with pytest.raises(TimeoutError):
        await receiver.wait_for(lambda one: False, seconds=0.01)
