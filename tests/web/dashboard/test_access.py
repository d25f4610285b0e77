"""The page Access: keys are created and revoked, and changes are listed with their actors."""

import time

from gateway.wire.times import rfc3339
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, open_gateway
from tests.web.dashboard.browser import Browser, browser_of

PAGE = "/dashboard/access"
EVIL = "<script>alert(1)</script>"


async def test_a_key_is_shown_once_and_revoked(gateway: GatewayHarness, browser: Browser) -> None:
    await browser.log_in()
    page = await browser.page(PAGE)
    wanted = {"scope": "read", "name": EVIL, "requestsPerSecond": "50", "burst": "100"}
    made = await browser.send(page, f"{PAGE}/keys", expiresAt="2999-01-01T00:00", **wanted)
    assert made.headers["content-type"].startswith("text/plain")
    name, key, *_ = made.text.split()
    headers = {"authorization": f"Bearer {key}"}
    assert (await gateway.http.get("/v1/status", headers=headers)).status_code == 200
    again = await browser.send(page, f"{PAGE}/keys", **wanted)
    assert again.status_code == 403
    page = await browser.page(PAGE)
    assert name in page
    assert key not in page
    assert EVIL not in page
    shown = await browser.send(page, f"{PAGE}/keys/{name}/revoke")
    assert "refused within a second" in shown.text
    (view,) = [
        one for one in (await gateway.get("/v1/keys", "ops")).json()["data"] if one["id"] == name
    ]
    assert view["revokedAt"] is not None
    assert (view["expiresAt"], view["rateLimit"]["burst"]) == ("2999-01-01T00:00:00.000Z", 100)


async def test_a_wrong_field_of_a_key_is_named(browser: Browser) -> None:
    await browser.log_in()
    page = await browser.page(PAGE)
    refused = await browser.send(page, f"{PAGE}/keys", scope="read", name="x", burst="5")
    assert refused.status_code == 422
    assert "requestsPerSecond" in refused.text
    corrected = await browser.send(page, f"{PAGE}/keys", scope="read", name="x")
    assert corrected.status_code == 200


async def test_a_session_ends_when_its_key_expires(database: NewDatabase) -> None:
    now = [time.time_ns() // 1_000_000]
    async with open_gateway(database, clock=lambda: now[0]) as gateway:
        body = {"scope": "ops", "name": "x", "expiresAt": rfc3339(now[0] + 60_000)}
        key = (await gateway.post("/v1/keys", body, "ops")).json()["key"]
        browser = browser_of(gateway)
        async with browser.http:
            await browser.http.post("/dashboard/login", data={"key": key})
            await browser.page(PAGE)
            now[0] += 60_000
            assert (await browser.get(PAGE)).url.path == "/dashboard/login"
            refused = await browser.http.post("/dashboard/login", data={"key": key})
    assert refused.status_code == 401
    assert "slipgate keys create" in refused.text


async def test_changes_are_filtered_by_their_actor(
    gateway: GatewayHarness, browser: Browser
) -> None:
    task = await gateway.create()
    await browser.log_in()
    (entry,) = (await gateway.get("/v1/audit?limit=1", "ops")).json()["data"]
    page = await browser.page(f"{PAGE}?actor={entry['actor']}&after=2020-01-01T00:00")
    assert task["id"] in page
    assert f"slipgate audit --actor={entry['actor']} --after=2020-01-01T00:00:00Z" in page
    assert task["id"] not in await browser.page(f"{PAGE}?actor=gateway")
