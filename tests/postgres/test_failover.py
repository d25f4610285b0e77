"""A primary that dies and a standby that is promoted: gateways with both addresses go on there."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.launcher.conditions import until
from tests.postgres.cluster import MISSING, SETTINGS, Cluster, programs, running_cluster
from tests.postgres.gateways import gateway_on, keys_of
from tests.postgres.test_outages import created, refused_as
from tests.web.callers import TASK

REPLICATED: Final[Mapping[str, object]] = {
    **SETTINGS,
    "wal_level": "replica",
    "max_wal_senders": 4,
}


def database(cluster: Cluster) -> str:
    return f"{cluster.address}/postgres"


def ask(cluster: Cluster, statement: str) -> object:
    with psycopg.connect(database(cluster), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


@pytest.mark.skipif(programs() is None, reason=MISSING)
async def test_gateways_go_on_at_the_server_that_was_promoted() -> None:
    with (
        running_cluster(REPLICATED) as first,
        running_cluster(REPLICATED, primary=first) as second,
    ):
        keys = keys_of(database(first))
        hosts = ",".join(urlsplit(server.address).netloc for server in (first, second))
        both = f"postgresql://{hosts.replace(',slipgate@', ',')}/postgres"
        async with gateway_on(both, keys) as gateway:
            task = await gateway.create()
            copied = "SELECT count(*) FROM tasks"
            await until(lambda: ask(second, copied) == 1, "the copy of the task")
            await asyncio.to_thread(first.kill)
            # The standby is read, and says that it takes no writes.
            await refused_as("read_only", lambda: gateway.post("/v1/tasks", TASK))
            assert (await gateway.task(task["id"]))["status"] == "queued"
            assert ask(second, "SELECT pg_promote()") is True
            tasks = [task["id"], (await created(gateway))["id"]]

            # The old primary comes back, first in the address, and is no primary any more.
            first.stand_by()
            await asyncio.to_thread(first.start)
            assert ask(first, "SELECT pg_is_in_recovery()") is True
            ask(
                second,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name LIKE 'slipgate%'",
            )
            tasks.append((await created(gateway))["id"])
            listed = (await gateway.get("/v1/tasks")).json()["data"]
            assert sorted(found["id"] for found in listed) == sorted(tasks)
