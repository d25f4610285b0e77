"""A provider that refuses every launch: what operators see, and how it goes on."""

from typing import Final

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, beside, open_gateway, sandbox_of

REFUSED: Final[Json] = {
    "code": "provider_auth",
    "message": "the key is not valid",
    "retryable": False,
    "provider": "local",
}


async def fail_launches(gateway: GatewayHarness, **more: object) -> list[str]:
    """Six tasks, five of which a launcher tries in vain; their ids."""
    tasks = [(await gateway.create())["id"] for _ in range(6)]
    for job in await gateway.claim(capacity=5):
        await gateway.report(job, "failed", error=REFUSED | more)
    return tasks


async def test_a_provider_that_is_down_is_told_and_probed(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        tasks = await fail_launches(gateway)
        assert not await gateway.claim()
        status = (await gateway.get("/v1/status", "ops")).json()
        (down,) = [one for one in status["problems"] if one["code"] == "provider_down"]
        option = "--provider=local@here --project=default"  # the project of the launcher's key
        assert down["do"] == f"slipgate switches resume launching {option}"
        states = [(await gateway.task(one))["status"] for one in tasks]
        assert sorted(states) == ["failed"] * 4 + ["queued"] * 2
        queued = next(one for one, state in zip(tasks, states, strict=True) if state == "queued")
        explained = (await gateway.get(f"/v1/tasks/{queued}/explain")).json()
        assert "launching is paused at local@here" in explained["summary"]
        assert explained["waitingFor"] == "launching at local@here to be resumed"
        metrics = (await gateway.get("/metrics", "read")).text
        assert 'slipgate_providers_paused{provider="local@here"} 1.0' in metrics
        (entry, *_) = (await gateway.get("/v1/audit?actor=gateway", "ops")).json()["data"]
        assert (entry["action"], entry["detail"]["provider"]) == ("switch.paused", "local@here")
        shown = (await gateway.get("/v1/switches", "ops")).json()["data"][-1]
        assert (shown["provider"], shown["actor"]) == ("local@here", "gateway")
        await beside(database, "UPDATE pauses SET probe_at = 1")
        (probe,) = await gateway.claim()
        await gateway.try_sandbox(probe)
        done = await gateway.report(probe, "done", sandbox=sandbox_of(probe))
        assert done.status_code == 200, done.text
        assert len(await gateway.claim(holding=[probe["id"]])) == 1
        assert (await gateway.get("/v1/switches", "ops")).json()["data"][1]["state"] == "on"
    assert not database.problems()


async def test_a_task_between_two_launches_waits_for_the_provider(gateway: GatewayHarness) -> None:
    for one in await fail_launches(gateway, code="provider_unavailable", retryable=True):
        explained = (await gateway.get(f"/v1/tasks/{one}/explain")).json()
        assert explained["waitingFor"] == "launching at local@here to be resumed"


async def test_ops_pause_and_resume_a_provider(gateway: GatewayHarness) -> None:
    await gateway.create()
    await gateway.claim(capacity=0)
    body: Json = {"launching": "paused", "provider": "local", "reason": "its bill is open"}
    paused = (await gateway.send("PUT", "/v1/switches", body, "ops")).json()["data"]
    last = paused[-1]
    assert (last["name"], last["state"], last["provider"]) == ("launching", "paused", "local")
    assert not await gateway.claim()
    assert len(await gateway.claim(providers=["local@here", "docker@d"])) == 1
    body |= {"launching": "on"}
    resumed = (await gateway.send("PUT", "/v1/switches", body, "ops")).json()["data"]
    assert len(resumed) == 3
    wrong = {"intake": "paused", "provider": "local", "reason": "x"}
    refused = await gateway.send("PUT", "/v1/switches", wrong, "ops")
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "$.provider")
