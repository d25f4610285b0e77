"""The portal: a customer sees and changes its own endpoints and their deliveries alone."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from markupsafe import escape

from gateway.web.portal.endpoints import MISTAKES
from gateway.web.routes import DASHBOARD, PORTAL, ROUTES
from tests.stores import NewDatabase
from tests.web.callers import PUBLIC_URL, GatewayHarness, Json, open_gateway
from tests.web.dashboard.browser import Browser, browser_of

PATIENCE: Final = 60
"""Seconds until a test gives up."""
OPEN: Final = frozenset(
    {"/", "/healthz", "/readyz", "/openapi.json", "/client.ts", "/dashboard/login"}
)
"""Pages for everybody."""
EVIL: Final = "<script>alert(1)</script>\"'&"


class Receiver:
    """Takes every webhook, and answers with markup."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[httpx.Request] = asyncio.Queue()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await self.got.put(request)
        return httpx.Response(200, stream=httpx.ByteStream(EVIL.encode()))

    async def next(self) -> httpx.Request:
        """The next webhook."""
        async with asyncio.timeout(PATIENCE):
            return await self.got.get()


@asynccontextmanager
async def opened(
    database: NewDatabase, origins: str = ""
) -> AsyncIterator[tuple[GatewayHarness, Browser, Receiver]]:
    receiver = Receiver()
    transport = httpx.MockTransport(receiver)
    async with open_gateway(
        database, receivers=transport, SLIPGATE_PORTAL_ORIGINS=origins
    ) as gateway:
        browser = browser_of(gateway)
        async with browser.http:
            yield gateway, browser, receiver


async def link(gateway: GatewayHarness, scope: str = "tasks", /, **wanted: object) -> str:
    response = await gateway.post("/v1/portal-links", {"customer": "acme"} | wanted, scope)
    assert response.status_code == 201, response.text
    url: str = response.json()["url"]
    return url.removeprefix(PUBLIC_URL)


async def opens(gateway: GatewayHarness, host: str, **wanted: object) -> Json:
    body = {"url": f"https://{host}/hook", **wanted}
    made: Json = (await gateway.post("/v1/endpoints", body, "ops")).json()
    return made


async def posts(gateway: GatewayHarness, scope: str = "tasks", /, **wanted: object) -> Json:
    body = {"type": "invoice.paid", "data": {"amount": 42}, **wanted}
    posted: Json = (await gateway.post("/v1/events", body, scope)).json()
    return posted


async def answered(gateway: GatewayHarness, times: int) -> None:
    """Waits until so many answers to the newest webhook of acme are stored."""
    async with asyncio.timeout(PATIENCE):
        attempts: list[Json] = []
        while len(attempts) < times:
            found = await gateway.get("/v1/deliveries?customer=acme", "ops")
            attempts = found.json()["data"][0]["attempts"]


async def test_a_customer_makes_an_endpoint_and_follows_what_it_gets(
    database: NewDatabase,
) -> None:
    kind = {"description": f"Paid {EVIL}", "schema": {"type": "object"}, "example": {"a": EVIL}}
    async with opened(database) as (gateway, browser, receiver):
        await gateway.send("PUT", "/v1/event-types/invoice.paid", kind)
        page = await browser.page(await link(gateway))
        assert "No endpoints yet" in page
        made = await browser.send(
            page,
            "/portal/endpoints",
            url="https://acme.example/hook",
            eventTypes="invoice.*",
            description=EVIL,
        )
        (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", made.text)
        await posts(gateway, customer="acme", data={"amount": 42, "note": EVIL})
        await receiver.next()
        await answered(gateway, 1)
        (endpoint,) = (await gateway.get("/v1/endpoints?customer=acme", "ops")).json()["data"]
        at = f"/portal/endpoints/{endpoint['id']}"
        listed, shown = await browser.page("/portal"), await browser.page(at)
        rows = await browser.page("/portal/deliveries?status=")
        (delivery,) = set(re.findall(r"/portal/deliveries/(dlv_[a-z0-9-]+)", rows))
        body = await browser.page(f"/portal/deliveries/{delivery}")
        resent = await browser.send(body, f"/portal/deliveries/{delivery}/retry")
        await receiver.next()
        await answered(gateway, 2)
        replayed = await browser.send(shown, f"{at}/replay", since="2026-01-01T00:00:00")
        await receiver.next()
        tested = await browser.send(shown, f"{at}/test")
        rotated = await browser.send(shown, f"{at}/rotate-secret", overlapSeconds="0")
        changed = await browser.send(shown, f"{at}/update", eventTypes="order.*", description="")
        disabled = await browser.send(changed.text, f"{at}/disable")
        enabled = await browser.send(disabled.text, f"{at}/enable")
        gone = await browser.send(enabled.text, f"{at}/delete")
        audit = (await gateway.get("/v1/audit?actor=portal:acme", "ops")).json()["data"]
        left = await browser.send(gone.text, "/portal/leave")
        await browser.page(await link(gateway))
        paces = gateway.app.context.admission._due  # type: ignore[attr-defined] # noqa: SLF001
        paces["portal:default:acme"] += 3_600
        flooding = await browser.get("/portal")
    assert secret not in listed + shown + rows + body
    for text in (listed, shown, rows, body, made.text, gone.text):
        assert EVIL not in text
        assert "<script" not in text
    assert "invoice.paid" in shown
    assert "&#34;amount&#34;:42" in body
    assert "HTTP 200" in body
    assert "due now" in resent.text
    assert "sent again" in replayed.text
    assert "answered with HTTP 200" in tested.text
    assert "whsec_" in rotated.text
    assert secret not in rotated.text
    assert "order.*" in changed.text
    assert ("disabled" in disabled.text, "is enabled" in enabled.text) == (True, True)
    assert "No endpoints yet" in gone.text
    assert (left.status_code, "expired" in left.text) == (401, True)
    assert (flooding.status_code, int(flooding.headers["ratelimit-limit"])) == (429, 200)
    assert [entry["action"] for entry in audit][::-1] == [
        *("endpoint.created", "delivery.retried", "replay.started", "endpoint.secret_rotated"),
        *("endpoint.updated", "endpoint.disabled", "endpoint.enabled", "endpoint.deleted"),
    ]
    policy = left.headers["content-security-policy"]
    assert ("unsafe" in policy, "frame-ancestors 'none'" in policy) == (False, True)


@pytest.mark.alike
async def test_a_refused_form_comes_back_filled_with_one_sentence(database: NewDatabase) -> None:
    async with opened(database) as (gateway, browser, _):
        for name in ("invoice.paid", "order.made"):
            await gateway.send("PUT", f"/v1/event-types/{name}", {"description": f"On {name}."})
        own = await opens(gateway, "acme.example", customer="acme", eventTypes=["refund.*"])
        at = f"/portal/endpoints/{own['id']}"
        page = await browser.page(await link(gateway))
        wanted = {"url": "http://10.0.0.1/hook", "description": EVIL, "eventTypes": "order.made"}
        refused = await browser.send(page, "/portal/endpoints", **wanted)
        again = await browser.get("/portal/endpoints")
        shown = await browser.page(at)
        changed = await browser.send(shown, f"{at}/update", **wanted)
        reloaded = await browser.get(f"{at}/update")
        form = dict(re.findall(r'name="(csrf)" value="([^"]*)"', shown))
        types = {"eventTypes": ["order.made", "refund.*"]}
        await browser.http.post(f"{at}/update", data=form | types)
        several = (await gateway.get(f"/v1/endpoints/{own['id']}", "ops")).json()
        wrong = await browser.send(shown, f"{at}/replay", since="x")
        page = await browser.page(at)
        await browser.send(page, f"{at}/update")
        none = (await gateway.get(f"/v1/endpoints/{own['id']}", "ops")).json()
    for answer in (refused, changed):
        assert answer.status_code == 422
        assert re.findall('role="alert">([^<]*)<', answer.text) == [MISTAKES["$.url"]]
        assert "SLIPGATE_" not in answer.text
        assert f'value="{escape(EVIL)}"' in answer.text
        assert 'value="http://10.0.0.1/hook"' in answer.text
        assert checked(answer.text) == ["order.made"]
    assert (again.status_code, again.url.path, reloaded.url.path) == (200, "/portal", at)
    assert (checked(shown), checked(page)) == (["refund.*"], ["order.made", "refund.*"])
    assert (several["eventTypes"], none["eventTypes"]) == (["order.made", "refund.*"], ["*"])
    assert wrong.text.count("$.since") == 1


def checked(page: str) -> list[str]:
    return re.findall(r'name="eventTypes" value="([^"]*)" checked', page)


async def strangers(gateway: GatewayHarness, receiver: Receiver) -> list[str]:
    """Endpoints that are not acme's, each with a delivery: the paths of both."""
    others = [
        await opens(gateway, "globex.example", customer="globex"),
        await opens(gateway, "ours.example", eventTypes=["*"]),
        await opens(gateway, "elsewhere.example", customer="acme", project="elsewhere"),
    ]
    await gateway.create()
    await posts(gateway, customer="globex")
    await posts(gateway, "other", customer="acme")
    for _ in range(4):
        await receiver.next()
    found = (await gateway.get("/v1/deliveries?limit=200", "ops")).json()["data"]
    assert {each["endpointId"] for each in found} == {each["id"] for each in others}
    return [
        *(f"/portal/endpoints/{each['id']}" for each in others),
        *(f"/portal/deliveries/{each['id']}" for each in found),
    ]


async def test_nothing_of_others_is_reached_by_any_route_and_id(database: NewDatabase) -> None:
    async with opened(database) as (gateway, browser, receiver):
        own = await opens(gateway, "acme.example", customer="acme")
        at = f"/portal/endpoints/{own['id']}"
        page = await browser.page(await link(gateway))
        form = dict(re.findall(r'name="(csrf|once)" value="([^"]*)"', page))
        foreign = await strangers(gateway, receiver)
        before = database.rows()
        verbs = {
            route.path.rpartition("/")[2]
            for route in PORTAL
            if "{" in route.path and not route.path.endswith("}")
        }
        for path in foreign:
            assert (await browser.get(path)).status_code == 404, path
            for verb in sorted(verbs):
                sent = await browser.http.post(
                    f"{path}/{verb}",
                    data=form | {"overlapSeconds": "0", "since": "2026-01-01T00:00:00"},
                )
                assert sent.status_code == 404, (path, verb)
        for name in ("endpointId=" + foreign[0].rpartition("/")[2], "status=delivered", ""):
            assert "dlv_" not in await browser.page(f"/portal/deliveries?{name}")
        listed = await browser.page("/portal")
        wider = {"url": "https://acme.example/2", "project": "elsewhere", "customer": "globex"}
        await browser.http.post("/portal/endpoints", data=form | wider)
        made = (await gateway.get("/v1/endpoints?customer=acme&project=default", "ops")).json()
        tasks = await browser.http.post(f"{at}/update", data=form | {"eventTypes": "task.*"})
        private = await browser.http.post(f"{at}/update", data=form | {"url": "https://10.0.0.1/"})
        after = database.rows()
    assert "globex" not in listed
    assert [each["url"] for each in made["data"]] == [
        *("https://acme.example/2", "https://acme.example/hook")
    ]
    assert (tasks.status_code, private.status_code) == (422, 422)
    for table in ("replays", "events"):
        assert sorted(map(repr, after[table])) == sorted(map(repr, before[table]))
    assert [len(rows["deliveries"]) for rows in (before, after)] == [4, 4]


@pytest.mark.alike
async def test_a_portal_session_opens_no_other_page_and_no_route_of_the_api(
    database: NewDatabase,
) -> None:
    async with opened(database) as (gateway, browser, _):
        await browser.page(await link(gateway))
        (cookie,) = [f"{each.name}={each.value}" for each in browser.http.cookies.jar]
        value = cookie.partition("=")[2]
        for route in (*ROUTES, *DASHBOARD):
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            if path in OPEN or path.startswith(("/docs", "/dashboard/static")):
                continue
            for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
                headers = {"cookie": f"{cookie}; slipgate_session={value}"}
                response = await browser.http.request(
                    method, path, headers=headers, follow_redirects=False
                )
                is_login = response.headers.get("location", "").startswith("/dashboard/login")
                assert response.status_code >= 400 or is_login, (method, path)


async def test_a_link_ends_and_no_other_token_or_form_is_taken(database: NewDatabase) -> None:
    async with opened(database) as (gateway, browser, _):
        good = await link(gateway, expiresInSeconds=60)
        page = await browser.page(good)
        (kept,) = browser.http.cookies.jar
        cookie = kept.value or ""
        token = dict(part.split("=", 1) for part in urlsplit(good).query.split("&"))["token"]
        refused = [
            await browser.get(f"/portal?token={wrong}")
            for wrong in ("", "x", "k1.x", token[:-2] + "xx", cookie)
        ]
        foreign = await browser.http.post(
            "/portal/endpoints", data={"csrf": "x", "url": "https://a.example"}
        )
        site = await browser.http.post(
            "/portal/leave",
            data=dict(re.findall(r'name="(csrf)" value="([^"]*)"', page)),
            headers={"sec-fetch-site": "cross-site"},
        )
        long = await gateway.post(
            "/v1/portal-links", {"customer": "a", "expiresInSeconds": 604_801}
        )
        denied = await gateway.post("/v1/portal-links", {"customer": "a"}, "read")
        made = (await gateway.post("/v1/keys", {"scope": "tasks", "name": "x"}, "ops")).json()
        headers = {"authorization": f"Bearer {made['key']}"}
        lent = await gateway.http.post(
            "/v1/portal-links", json={"customer": "acme"}, headers=headers
        )
        address = lent.json()["url"].removeprefix(PUBLIC_URL)
        await browser.page(address)
        await gateway.post(f"/v1/keys/{made['id']}/revoke", {}, "ops")
        gateway.app.context.keys._known.clear()  # type: ignore[attr-defined] # noqa: SLF001
        revoked = [await browser.get(path) for path in ("/portal", address)]
        browser.http.cookies.clear()
        outside = await browser.get("/portal")
    assert (kept.path, kept.expires is not None) == ("/portal", True)
    assert [each.status_code for each in (*refused, *revoked)] == [401] * 7
    assert (foreign.status_code, site.status_code) == (403, 403)
    assert (long.status_code, denied.status_code, outside.status_code) == (422, 403, 401)


async def test_all_links_and_sessions_of_one_customer_are_ended_and_the_next_link_works(
    database: NewDatabase,
) -> None:
    async with opened(database) as (gateway, browser, _):
        expire, wanted = "/v1/portal-links/expire-all", {"customer": "acme"}
        links = [await link(gateway, expiresInSeconds=seconds) for seconds in (60, 604_800)]
        other = await link(gateway, customer="globex")
        await browser.page(links[0])
        dry = await gateway.post(expire, wanted | {"dryRun": True})
        elsewhere = await gateway.post(expire, wanted, "other")
        denied = await gateway.post(expire, wanted, "read")
        assert "Endpoints" in await browser.page("/portal")
        ended = [await gateway.post(expire, wanted | {"reason": "astray"}) for _ in range(2)]
        refused = [await browser.get(path) for path in ("/portal", *links)]
        for good in (other, await link(gateway)):
            assert "Endpoints" in await browser.page(good)
        audit = (await gateway.get("/v1/audit", "ops")).json()["data"]
        assert [*database.problems()] == []
    assert (dry.json(), ended[0].json()) == (
        {"customer": "acme", "expired": False},
        {"customer": "acme", "expired": True},
    )
    codes = [each.status_code for each in (elsewhere, denied, *ended, *refused)]
    assert codes == [200, 403, 200, 200, 401, 401, 401]
    entries = [entry for entry in audit if entry["action"] == "portal_links.expired"]
    assert [entry["detail"].get("reason") for entry in entries] == ["astray", "astray", None]


async def test_pages_of_named_origins_alone_may_frame_the_portal(database: NewDatabase) -> None:
    origins = "https://app.example,http://localhost:3000"
    async with opened(database, origins) as (gateway, browser, _):
        first = await browser.http.get(await link(gateway), follow_redirects=False)
        page = await browser.get("/portal")
        form = dict(re.findall(r'name="(csrf)" value="([^"]*)"', page.text))
        left = await browser.http.post("/portal/leave", data=form, follow_redirects=False)
        after = await browser.get("/portal")
        dashboard = await browser.get("/dashboard/login")
    for response in (first, page, left, after):
        policy = response.headers["content-security-policy"]
        assert policy.endswith("frame-ancestors https://app.example http://localhost:3000")
        assert "x-frame-options" not in response.headers
    for response in (first, left):
        cookie = response.headers["set-cookie"].lower().split("; ")
        assert {"samesite=none", "secure", "partitioned", "httponly"} <= set(cookie)
    assert (page.status_code, after.status_code) == (200, 401)
    assert "frame-ancestors 'none'" in dashboard.headers["content-security-policy"]
