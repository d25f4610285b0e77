"""Two gateways behind one load balancer: each request may come to either."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import httpx
import msgspec
import pytest

from gateway.ledger import wall_clock
from gateway.web.http.auth import REMEMBER_MS
from tests.launcher.conditions import until_answered
from tests.postgres.reused import reused_database
from tests.stores import ServerDatabase
from tests.web.callers import GatewayHarness, open_gateway
from tests.web.test_github_tokens import MADE, PATH, TOKEN, wanted


class Clock:
    """The time, and so many milliseconds more."""

    ahead = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def both(clock: Clock) -> AsyncIterator[tuple[GatewayHarness, GatewayHarness]]:
    with reused_database() as reused:
        database = ServerDatabase(reused)
        async with open_gateway(database) as one, open_gateway(database, clock=clock) as other:
            await _meet(one, other)
            yield one, other


async def _meet(*gateways: GatewayHarness) -> None:
    """Returns once each sees the other."""
    for gateway in gateways:
        await until_answered(partial(_sees_two, gateway), "both gateways")


async def _sees_two(gateway: GatewayHarness) -> bool:
    status = (await gateway.get("/v1/status", "ops")).json()
    return bool(status["strip"]["gatewaysLive"] == 2)


async def test_a_launcher_at_one_answers_an_agent_at_the_other(
    both: tuple[GatewayHarness, GatewayHarness],
) -> None:
    one, other = both
    _, agent = await one.launch()
    task, number = agent.env["SLIPGATE_TASK_ID"], agent.env["SLIPGATE_ATTEMPT"]
    url = f"/v1/agent/github-token?taskId={task}&attempt={number}"

    async def answer() -> None:
        (request,) = await wanted(other, seconds=30)
        await other.post(f"{PATH}/{request['id']}", MADE, scope="launcher")

    async with asyncio.TaskGroup() as group:
        group.create_task(answer())
        asked = await one.http.get(url, headers=agent.headers(b"", "t"))
    assert asked.json()["token"] == TOKEN


async def test_a_key_that_was_revoked_at_one_is_refused_at_the_other(
    both: tuple[GatewayHarness, GatewayHarness], clock: Clock
) -> None:
    one, other = both
    made = await one.post("/v1/keys", {"scope": "read", "name": "x"}, scope="ops")
    bearer = {"authorization": f"Bearer {made.json()['key']}"}
    assert (await other.http.get("/v1/tasks", headers=bearer)).status_code == 200
    await one.post(f"/v1/keys/{made.json()['id']}/revoke", {}, scope="ops")
    clock.ahead = REMEMBER_MS
    assert (await other.http.get("/v1/tasks", headers=bearer)).status_code == 401


class Receivers:
    """Takes webhooks slowly, and keeps the data of each host's in the order of their ends."""

    def __init__(self) -> None:
        self.taken: dict[str, list[int]] = {}
        self.changed = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        number = msgspec.json.decode(request.content)["data"]["n"]
        for _ in range(number % 7):
            await asyncio.sleep(0)
        self.taken.setdefault(request.url.host, []).append(number)
        self.changed.set()
        return httpx.Response(204, stream=httpx.ByteStream(b""))

    async def until(self, hosts: int, count: int) -> None:
        """Waits until each host has taken so many different ones."""
        async with asyncio.timeout(60):
            while [len({*taken}) for taken in self.taken.values()] != [count] * hosts:
                self.changed.clear()
                await self.changed.wait()


async def test_events_of_one_key_keep_their_order_though_both_take_them_and_one_leaves() -> None:
    hosts, receivers = [f"r{number}.example" for number in range(3)], Receivers()
    transport = httpx.MockTransport(receivers)
    with reused_database() as reused:
        database = ServerDatabase(reused)
        async with open_gateway(database, receivers=transport) as one:
            for host in hosts:
                wanted = {"url": f"https://{host}/", "eventTypes": ["order.*"]}
                await one.post("/v1/endpoints", wanted, "ops")

            async def post(gateway: GatewayHarness, number: int) -> None:
                order = {"type": "order.made", "data": {"n": number}, "orderingKey": "k"}
                assert (await gateway.post("/v1/events", order)).status_code == 202

            async with open_gateway(database, receivers=transport) as other:
                await _meet(one, other)
                for number in range(12):
                    await post((one, other)[number % 2], number)
            for number in range(12, 18):
                await post(one, number)
            await receivers.until(len(hosts), 18)
        assert [*database.problems()] == []
    for taken in receivers.taken.values():
        assert [*dict.fromkeys(taken)] == [*range(18)]
