"""A server that goes, stands still, or takes no writes: callers are told, and all goes on again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import httpx
import psycopg
import pytest

from gateway.domain.kernel.errors import Unavailable
from gateway.store.postgres.admin.audit import audit
from gateway.store.postgres.pool import Pool
from gateway.store.postgres.store import PooledReads
from tests.launcher.conditions import LIMIT_SECONDS, until, until_answered
from tests.postgres.cluster import MISSING, Cluster, programs, running_cluster
from tests.postgres.databases import new_database
from tests.postgres.gateways import gateway_on, keys_of
from tests.postgres.tunnel import Loss, Tunnel
from tests.web.callers import TASK, GatewayHarness, Json
from tests.web.test_store_faults import asks_to_retry, not_ready


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server of the test's own."""
    if programs() is None:
        pytest.skip(MISSING)
    with running_cluster() as running:
        yield running


async def test_a_server_that_goes_and_comes_back_loses_nothing(cluster: Cluster) -> None:
    url = f"{cluster.address}/postgres"
    async with gateway_on(url, keys_of(url)) as gateway:
        tasks = [await gateway.create()]
        for end in (cluster.kill, cluster.stop):
            expiring = await gateway.create(timeouts={"queueSeconds": 1})
            events = f"/v1/tasks/{expiring['id']}/events"
            seen = (await gateway.get(events)).json()["nextCursor"]
            await asyncio.to_thread(end)
            assert asks_to_retry(await gateway.post("/v1/tasks", TASK))
            assert asks_to_retry(await gateway.get(f"/v1/tasks/{tasks[0]['id']}"))
            await not_ready(gateway)
            assert (await gateway.http.get("/healthz")).status_code == 200
            await asyncio.to_thread(cluster.start)
            tasks.append(await created(gateway))
            assert (await gateway.http.get("/readyz")).status_code == 200
            (event,) = (await gateway.get(f"{events}?wait=30&after={seen}")).json()["data"]
            assert event["type"] == "task.expired"
        for task in tasks:
            assert (await gateway.task(task["id"]))["status"] == "queued"
    assert audit(url).problems == ()


async def created(gateway: GatewayHarness) -> Json:
    """A task, as soon as one is taken."""
    taken: list[Json] = []

    async def ask() -> bool:
        response = await gateway.post("/v1/tasks", TASK)
        if response.is_success:
            taken.append(response.json())
        else:
            assert response.status_code == 503, response.text
            assert int(response.headers["retry-after"]) >= 1
        return response.is_success

    await until_answered(ask, "a task that is taken")
    return taken[0]


async def refused_as(code: str, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
    """Returns once the answer is a refusal with this code; until then the gateway finds out."""

    async def is_refused() -> bool:
        response = await ask()
        if not response.is_success and response.json()["code"] == code:
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            return True
        assert response.is_success or asks_to_retry(response)
        return False

    await until_answered(is_refused, code)


async def both_are_seen(gateway: GatewayHarness) -> bool:
    status = (await gateway.get("/v1/status", "ops")).json()
    metrics = (await gateway.get("/metrics", "ops")).text
    is_shown = "slipgate_gateways 2.0" in metrics
    return is_shown and bool(status["strip"]["gatewaysLive"] == 2)


async def test_a_gateway_whose_network_stands_still_does_not_hold_up_the_others() -> None:
    with new_database() as url:
        keys = keys_of(url)
        async with (
            Tunnel(url).running() as tunnel,
            gateway_on(tunnel.url, keys) as still,
            gateway_on(url, keys) as other,
        ):
            for gateway in (still, other):
                await until_answered(partial(both_are_seen, gateway), "both gateways")
            first = await still.create()
            tunnel.losses = [Loss.HELD]
            waiting = asyncio.create_task(created(still))
            await until(lambda: not tunnel.losses, "a batch to stand still")
            # It reads rows of no task, and may not run beside a batch.
            assert len(await other.claim()) == 1
            task = await other.create()
            tunnel.thaw()
            tasks = {first["id"], task["id"], (await waiting)["id"]}
            listed = (await other.get("/v1/tasks")).json()["data"]
            assert {task["id"] for task in listed} == tasks


async def test_a_read_that_is_not_answered_is_given_up() -> None:
    with new_database() as url:
        async with (
            Tunnel(url).running() as tunnel,
            Pool(tunnel.url, is_for_reads=True, seconds=0.1) as pool,
        ):
            reads = PooledReads(pool)
            assert await reads.fetch("SELECT 1") == [(1,)]
            tunnel.freeze()
            with pytest.raises(Unavailable):
                await reads.fetch("SELECT 1")
            tunnel.thaw()
            async with asyncio.timeout(LIMIT_SECONDS):
                while True:
                    with suppress(Unavailable):
                        assert await reads.fetch("SELECT 2") == [(2,)]
                        break


async def test_a_database_that_is_read_only_is_read_and_not_written() -> None:
    with new_database() as url:
        async with gateway_on(url, keys_of(url)) as gateway:
            task = await gateway.create()
            with read_only(url):
                await refused_as("read_only", lambda: gateway.post("/v1/tasks", TASK))
                assert (await gateway.task(task["id"]))["status"] == "queued"
                ready = await gateway.http.get("/readyz")
                assert (ready.status_code, ready.json()["code"]) == (503, "read_only")
                status = await gateway.get("/v1/status", "ops")
                assert status.json()["problems"][0]["code"] == "read_only"
            await created(gateway)
            codes = [
                it["code"] for it in (await gateway.get("/v1/status", "ops")).json()["problems"]
            ]
            assert "read_only" not in codes


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """For all sessions, as on a standby."""
    address, _, name = url.rpartition("/")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
