"""The identity of a gateway, for operators who set up launchers."""

from tests.web.callers import GatewayHarness


async def test_whoever_sets_up_a_launcher_hears_what_matters_to_it(gateway: GatewayHarness) -> None:
    await gateway.create()
    told = (await gateway.get("/v1/launcher", scope="launcher")).json()
    (job,) = await gateway.claim()
    assert told["instanceId"] == job["instanceId"]
    assert told["snapshot"] == job["snapshot"]
    assert job["env"]["SLIPGATE_WEBHOOK_URL"].startswith(told["publicUrl"])
    assert told["version"]


async def test_asking_is_no_call_of_a_launcher(gateway: GatewayHarness) -> None:
    await gateway.get("/v1/launcher", scope="launcher")
    assert (await gateway.get("/v1/launchers", scope="ops")).json()["data"] == []
