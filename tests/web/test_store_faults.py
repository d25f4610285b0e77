"""The store cannot commit: callers are told to come again, reads go on, and it mends by itself."""

from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from tests.launcher.conditions import until_answered
from tests.stores import NewDatabase
from tests.web.callers import TASK, GatewayHarness, open_gateway, write_locked

BUSY_MS: Final = 50


def asks_to_retry(response: httpx.Response) -> bool:
    """503 with a time, and nothing internal."""
    assert response.status_code == 503, response.text
    assert response.json()["code"] == "unavailable"
    return int(response.headers["retry-after"]) >= 1


async def taken(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The first answer that is no refusal: behind the batches that were refused, and on a busy
    machine, another one waits longer than BUSY_MS."""
    while (response := await ask()).status_code == 503:
        assert asks_to_retry(response)
    return response


async def not_ready(gateway: GatewayHarness) -> None:
    """Asks until it is refused: a commit proves for a second or two that the store commits."""

    async def is_refused() -> bool:
        response = await gateway.http.get("/readyz")
        return not response.is_success and asks_to_retry(response)

    await until_answered(is_refused, "a commit that fails")


async def test_while_the_database_is_locked_writes_are_refused_and_reads_go_on(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, busy_ms=BUSY_MS) as gateway:
        _, agent = await gateway.launch()
        waiting = await gateway.create()
        async with write_locked(database):
            assert asks_to_retry(await gateway.post("/v1/tasks", TASK))
            assert asks_to_retry(await agent.emit("task.started", "m1"))
            assert asks_to_retry(await gateway.post(f"/v1/tasks/{waiting['id']}/cancel"))
            assert asks_to_retry(
                await gateway.post(
                    "/v1/launcher/claim",
                    {"launcherId": "l1", "providers": ["local"], "capacity": 1},
                    scope="launcher",
                )
            )
            await not_ready(gateway)
            assert (await gateway.http.get("/healthz")).status_code == 200
            assert (await gateway.task(waiting["id"]))["status"] == "queued"
            assert (await gateway.get("/v1/events")).status_code == 200
        assert (await taken(lambda: gateway.http.get("/readyz"))).status_code == 200
        # Nothing was half stored: the same message is new, and is applied once.
        applied = await taken(lambda: agent.emit("task.started", "m1"))
        assert applied.json()["applied"] is True
        assert len((await gateway.get("/v1/tasks")).json()["data"]) == 2
    assert database.problems() == ()


async def test_clocks_that_come_due_while_it_is_locked_are_judged_when_it_is_over(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, busy_ms=BUSY_MS) as gateway:
        task = await gateway.create(timeouts={"queueSeconds": 1})
        cursor = seq_of(await gateway.get("/v1/events"))
        path = f"/v1/tasks/{task['id']}/events?after={cursor}&wait="
        async with write_locked(database):
            # A commit proves for a second that the store commits, and what was proven is kept for
            # another one; meanwhile the task comes due.
            assert (await gateway.get(f"{path}2")).json()["data"] == []
            assert asks_to_retry(await gateway.http.get("/readyz"))
            assert (await gateway.task(task["id"]))["status"] == "queued"
        (event,) = (await gateway.get(f"{path}30")).json()["data"]
        assert event["type"] == "task.expired"
        assert (await taken(lambda: gateway.http.get("/readyz"))).status_code == 200
    assert database.problems() == ()


def seq_of(feed: httpx.Response) -> str:
    """The cursor behind its last event."""
    cursor: str = feed.json()["nextCursor"]
    return cursor
