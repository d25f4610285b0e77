"""Sweeps, and spools that could not be read for hours, over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.domain.launching.sweep_findings import SWEEP_EVERY
from gateway.ledger import wall_clock
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, line_of, open_gateway, sandbox_of


@dataclass(kw_only=True)
class Clock:
    """Moved by hand (milliseconds)."""

    now: int

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(now=wall_clock())


@pytest.fixture
async def gateway(database: NewDatabase, clock: Clock) -> AsyncIterator[GatewayHarness]:
    async with open_gateway(database, clock=clock) as gateway:
        yield gateway


async def test_a_sweep_names_its_realm_and_an_orphan_its_labels(
    gateway: GatewayHarness, clock: Clock
) -> None:
    assert await gateway.claim() == []
    clock.now += SWEEP_EVERY
    (sweep,) = await gateway.claim()
    assert sweep["kind"] == "sweep"
    assert sweep["sandbox"] == {"name": "", "provider": "local", "realm": "here"}
    labels = {**sweep["labels"], "slipgate-task": "task_ghost", "slipgate-attempt": "2"}
    found = {"id": "s9", "name": "slipgate-ghost-2", "state": "started"}
    foreign = {**found, "id": "s8", "labels": {**labels, "slipgate-instance": "ins_other"}}
    ours = {**found, "labels": {**labels, "more": "x"}}
    assert (await gateway.report(sweep, "done", sandboxes=[foreign, ours])).status_code == 200
    (orphan,) = await gateway.claim()
    assert (orphan["kind"], orphan["taskId"], orphan["attempt"]) == ("destroy", "task_ghost", 2)
    assert orphan["labels"] == labels
    place = {"provider": "local", "realm": "here"}
    assert orphan["sandbox"] == {"name": "slipgate-ghost-2", "id": "s9", **place}
    gone = {"id": "s9", "name": "slipgate-ghost-2", **place, "state": "destroyed"}
    assert (await gateway.report(orphan, "done", sandbox=gone)).status_code == 200
    assert await gateway.claim() == []


async def test_a_spool_may_be_as_old_as_its_attempt(gateway: GatewayHarness, clock: Clock) -> None:
    job, agent = await gateway.launch()
    sent_at = clock.now // 1000
    clock.now += 3_000_000
    await gateway.post(f"/v1/tasks/{job['taskId']}/cancel")
    destroy = next(one for one in await gateway.claim(capacity=0) if one["kind"] == "destroy")
    body = agent.body("task.completed", summary="offline for long")
    line = line_of(agent, "m1", body, at=sent_at)
    await gateway.report(destroy, "done", sandbox=sandbox_of(job), spool=[line], spoolOffset=9)
    assert (await gateway.task(job["taskId"]))["status"] == "completed"


async def test_what_a_sweep_found_can_be_read_and_another_can_be_had_at_once(
    gateway: GatewayHarness, clock: Clock
) -> None:
    assert (await gateway.get("/v1/sweeps", scope="ops")).json() == {"data": []}
    assert await gateway.claim() == []
    (first,) = (await gateway.get("/v1/sweeps", scope="ops")).json()["data"]
    assert (first["provider"], first["realm"], first["live"]) == ("local", "here", True)
    assert (first["sweptAt"], first["seen"], first["sandboxes"]) == (None, 0, [])
    asked = await gateway.post("/v1/sweeps", scope="ops")
    assert asked.status_code == 202
    (sweep,) = await gateway.claim()
    (under_way,) = (await gateway.get("/v1/sweeps", scope="ops")).json()["data"]
    assert under_way["nextAt"] is None
    labels = {**sweep["labels"], "slipgate-task": "task_ghost", "slipgate-attempt": "2"}
    found = {"id": "s9", "name": "slipgate-ghost-2", "state": "started", "labels": labels}
    await gateway.report(sweep, "done", sandboxes=[found])
    (after,) = (await gateway.get("/v1/sweeps", scope="ops")).json()["data"]
    assert (after["seen"], after["unwanted"]) == (1, 1)
    (orphan,) = after["sandboxes"]
    assert (orphan["name"], orphan["taskId"], orphan["attempt"]) == (found["name"], "task_ghost", 2)
    assert (orphan["outcome"], orphan["reason"]) == ("destroying", "there is no such task")
    assert after["sweptAt"] < after["nextAt"]
