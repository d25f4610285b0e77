"""A gateway that is killed in the middle of a bulk action goes on with it, and no task is acted on
twice."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.cli.local.processes import wait_until_ready
from gateway.domain.operations.bulk import PAGE
from tests.app.processes import gateway_process
from tests.stores import NewDatabase
from tests.web.callers import TASK, Json, add_keys

COUNT = 3 * PAGE


@pytest.mark.timeout(600)
async def test_a_bulk_action_goes_on_after_a_kill(tmp_path: Path, database: NewDatabase) -> None:
    with gateway_process(tmp_path, database=database, is_public=True) as (child, url, _):
        key = add_keys(database)["tasks"]
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=url, headers=headers, trust_env=False, timeout=60
        ) as http:
            await asyncio.gather(*(http.post("/v1/tasks", json=TASK) for _ in range(COUNT)))
            body = {"action": "cancel", "filter": {"status": ["queued"]}, "reason": "x"}
            begun = (await http.post("/v1/bulk", json=body)).json()
            assert begun["matched"] == COUNT
            path = f"/v1/bulk/{begun['id']}"
            await _until(http, path, at_least=PAGE)
            child.kill()
            child.start()
            wait_until_ready(url, child)
            shown = await _until(http, path, at_least=COUNT)
            assert (shown["status"], shown["done"], shown["failed"]) == ("done", COUNT, 0)
            query = "/v1/events?limit=200&types=task.cancelled"
            events = (await http.get(query)).json()["data"]
            assert len({event["taskId"] for event in events}) == len(events) == COUNT
    assert database.problems() == ()


async def _until(http: httpx.AsyncClient, path: str, *, at_least: int) -> Json:
    """The action once so many tasks had their turn."""
    async with asyncio.timeout(120):
        while True:
            shown: Json = (await http.get(path)).json()
            if shown["done"] + shown["failed"] >= at_least:
                return shown
