"""Gateways behind a pooler: work goes through it, and what a gateway does alone goes around it."""

import asyncio

import httpx
import msgspec
import psycopg
import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.store.postgres.opening import check_sessions
from gateway.store.postgres.session_connection import connected
from tests.postgres.databases import new_database
from tests.postgres.gateways import gateway_on, keys_of
from tests.postgres.pooler import MISSING, PROGRAM, pooled

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)
TASKS = 12


class Receivers(httpx.AsyncBaseTransport):
    """Takes all webhooks, and notes them."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.all_there = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = msgspec.json.decode(await request.aread())
        self.taken.append(body["data"]["task"]["id"])
        if len(set(self.taken)) == TASKS:
            self.all_there.set()
        return httpx.Response(204)


async def test_work_goes_through_a_pooler_and_sessions_around_it() -> None:
    with new_database() as url, pooled(url, "transaction") as through:
        keys, receivers = keys_of(through), Receivers()
        around = {"SLIPGATE_DATABASE_SESSION_URL": url}
        async with (
            gateway_on(through, keys, receivers, **around) as one,
            gateway_on(through, keys, receivers, **around) as other,
        ):
            endpoint = {"url": "https://receiver.example/", "eventTypes": ["task.created"]}
            assert (await one.post("/v1/endpoints", endpoint, "ops")).status_code == 201
            gateways = [one, other] * (TASKS // 2)
            tasks = await asyncio.gather(*(gateway.create() for gateway in gateways))
            async with asyncio.timeout(60):
                await receivers.all_there.wait()
            for task in tasks:
                assert (await other.task(task["id"]))["status"] == "queued"
        assert sorted(receivers.taken) == sorted(task["id"] for task in tasks)


async def test_a_session_through_a_pooler_is_refused_with_a_remedy() -> None:
    with new_database() as url, pooled(url, "transaction") as through:
        with pytest.raises(ApiError, match="SLIPGATE_DATABASE_URL goes through") as refused:
            async with gateway_on(through, keys_of(through)):
                pass
        assert refused.value.code == "session_pooled"
        assert "SLIPGATE_DATABASE_SESSION_URL" in str(refused.value.hint)


async def test_a_session_on_the_connection_of_another_is_given_up() -> None:
    with new_database() as url, pooled(url, "transaction") as through:
        async with connected(through) as one, connected(through) as other:
            await one.enter(60)
            assert (await one.look())[0] == 1
            with pytest.raises(psycopg.InterfaceError):
                await other.enter(60)


async def test_a_pooler_that_keeps_sessions_apart_will_do() -> None:
    with new_database() as url, pooled(url, "session") as through:
        check_sessions(through)
        async with gateway_on(through, keys_of(through)) as gateway:
            await gateway.create()
