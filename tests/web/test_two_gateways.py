"""Two gateways behind one load balancer: each request may come to either."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.ledger import wall_clock
from gateway.web.http.auth import REMEMBER_MS
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
            async with asyncio.timeout(60):
                while [await _gateways(one), await _gateways(other)] != [2, 2]:
                    pass
            yield one, other


async def _gateways(gateway: GatewayHarness) -> int:
    """The number that it sees."""
    status = (await gateway.get("/v1/status", "ops")).json()
    count: int = status["strip"]["gatewaysLive"]
    return count


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
