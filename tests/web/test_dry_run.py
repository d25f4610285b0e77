"""`dryRun`: every change answers as it would, is refused as it would be, and leaves no trace."""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx
import pytest

from gateway.store.sql.rows import Row
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway, rows_of

DRY: Final[Json] = {"dryRun": True, "reason": "a drill"}
REAL: Final[Json] = {"reason": "the real thing"}
LEFT_OUT: Final = {
    *("api_keys", "ledger", "commits", "deliveries", "replays", "bulk_actions", "bulk_pages")
}
"""Tables that loops write meanwhile: pulses, the last use of keys, steps of the changes before."""

Step = tuple[str, str, Json, int]
"""Method, path, body besides `dryRun` and `reason`, and the status of the real change."""


def rows(database: NewDatabase) -> Mapping[str, Sequence[Row]]:
    """All that the database holds."""
    found = {name: rows for name, rows in database.rows().items() if name not in LEFT_OUT}
    # The keys of the test are from 1970: what was noted of them goes when retention looks.
    found["audit"] = [row for row in found["audit"] if "cli" not in row]
    return {**found, "keys": rows_of(database, "SELECT id, revoked_at FROM api_keys ORDER BY id")}


async def steps(gateway: GatewayHarness) -> list[Step]:
    """Changes of everything that operators change, each possible after those before it."""
    quiet = {"delivering": "paused", "reason": "no attempt changes a row meanwhile"}
    await gateway.send("PUT", "/v1/switches", quiet, "ops")
    endpoint = (await gateway.post("/v1/endpoints", {"url": "https://a.example"}, "ops")).json()
    living, ended = await gateway.create(), await gateway.create()
    jobs = {job["taskId"]: job for job in await gateway.claim(capacity=2)}
    error = {"code": "provider_auth", "message": "x", "retryable": False}
    await gateway.try_sandbox(jobs[ended["id"]])
    await gateway.report(jobs[ended["id"]], "failed", error=error)
    await gateway.claim(capacity=0, holding=[jobs[living["id"]]["id"]])
    deliveries = (await gateway.get("/v1/deliveries", "ops")).json()["data"]
    key = (await gateway.post("/v1/keys", {"scope": "read", "name": "x"}, "ops")).json()["id"]
    ours = f"/v1/endpoints/{endpoint['id']}"
    at_once = {"status": ["queued", "launching"], "createdBefore": "2099-01-01T00:00:00Z"}
    return [
        ("PUT", "/v1/switches", {"launching": "paused"}, 200),
        ("PUT", "/v1/switches", {"launching": "on"}, 200),
        ("POST", "/v1/launchers/l1/drain", {}, 200),
        ("POST", "/v1/launchers/l1/revoke", {}, 200),
        ("POST", "/v1/launchers/l1/resume", {}, 200),
        ("POST", f"/v1/tasks/{ended['id']}/attempts/1/release", {}, 200),
        ("POST", f"/v1/tasks/{ended['id']}/retry", {}, 202),
        ("POST", f"/v1/tasks/{ended['id']}/cancel", {}, 202),
        ("POST", f"/v1/tasks/{ended['id']}/purge", {}, 200),
        ("POST", f"/v1/tasks/{living['id']}/cancel", {}, 202),
        ("POST", "/v1/keys", {"scope": "tasks", "project": "new", "name": "y"}, 201),
        ("POST", f"/v1/keys/{key}/revoke", {}, 200),
        ("POST", "/v1/endpoints", {"url": "https://b.example"}, 201),
        ("PATCH", ours, {"description": "changed"}, 200),
        ("POST", f"{ours}/rotate-secret", {"overlapSeconds": 0}, 200),
        ("POST", f"/v1/deliveries/{deliveries[0]['id']}/retry", {}, 202),
        ("POST", f"{ours}/disable", {}, 200),
        ("POST", f"{ours}/enable", {"backlog": "dead"}, 200),
        ("DELETE", ours, {}, 200),
        ("POST", "/v1/bulk", {"action": "cancel", "filter": at_once}, 202),
    ]


async def send(gateway: GatewayHarness, step: Step, more: Json) -> httpx.Response:
    method, path, body, _ = step
    if method == "DELETE":
        query = "&".join(f"{name}={str(value).lower()}" for name, value in more.items())
        return await gateway.send(method, f"{path}?{query}".replace(" ", "+"), None, "ops")
    return await gateway.send(method, path, body | more, "ops")


async def audit(gateway: GatewayHarness) -> list[Json]:
    found: list[Json] = (await gateway.get("/v1/audit?limit=200", "ops")).json()["data"]
    return found


async def test_every_change_can_be_tried_dry_and_keeps_its_reason(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        for step in await steps(gateway):
            before, entries = rows(database), await audit(gateway)
            dry = await send(gateway, step, DRY)
            assert dry.status_code == 200, (step, dry.text)
            assert rows(database) == before, step
            real = await send(gateway, step, REAL)
            assert real.status_code == step[3], (step, real.text)
            new = [one for one in await audit(gateway) if one not in entries]
            assert {one["detail"]["reason"] for one in new} == {REAL["reason"]}, (step, new)


async def test_a_dry_run_is_refused_as_the_change_and_remembers_no_key(
    database: NewDatabase,
) -> None:
    async with open_gateway(database) as gateway:
        task = await gateway.create()
        path = f"/v1/tasks/{task['id']}"
        for verb in ("retry", "purge"):
            refused = [await gateway.post(f"{path}/{verb}", it, "ops") for it in (DRY, REAL)]
            codes = [(one.status_code, one.json()["code"]) for one in refused]
            assert codes == [(409, "not_finished")] * 2
        misplaced = await gateway.post(f"{path}/cancel?dryRun=true", {})
        assert (misplaced.status_code, misplaced.json()["errors"][0]["path"]) == (422, "?dryRun")
        dry = await gateway.post(f"{path}/cancel", DRY, idempotency_key="k")
        assert (dry.status_code, dry.json()["status"]) == (200, "cancelled")
        assert (await gateway.task(task["id"]))["status"] == "queued"
        real = await gateway.post(f"{path}/cancel", REAL, idempotency_key="k")
        assert (real.status_code, real.json()["status"]) == (202, "cancelled")


@pytest.mark.alike
async def test_a_dry_run_shows_no_secret(gateway: GatewayHarness) -> None:
    key = await gateway.post("/v1/keys", {"scope": "ops", "name": "x"} | DRY, "ops")
    assert not {"key", "callbackSecret"} & set(key.json())
    endpoint = await gateway.post("/v1/endpoints", {"url": "https://b.example"} | DRY, "ops")
    assert "secret" not in endpoint.json()
