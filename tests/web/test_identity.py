"""Who a gateway is, as those hear it that set up launchers."""

from tests.web.callers import House


async def test_whoever_sets_up_a_launcher_hears_what_matters_to_it(house: House) -> None:
    await house.create()
    told = (await house.get("/v1/launcher", scope="launcher")).json()
    (job,) = await house.claim()
    assert told["instanceId"] == job["instanceId"]
    assert told["snapshot"] == job["snapshot"]
    assert job["env"]["SLIPGATE_WEBHOOK_URL"].startswith(told["publicUrl"])
    assert told["version"]


async def test_asking_is_no_call_of_a_launcher(house: House) -> None:
    await house.get("/v1/launcher", scope="launcher")
    assert (await house.get("/v1/launchers", scope="ops")).json()["data"] == []
