"""Login, sessions and forms of the dashboard."""

import hashlib
import re

import pytest

from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring
from gateway.web.dashboard.session import COOKIE, Ticket, open_ticket, seal_ticket
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, beside
from tests.web.dashboard.browser import Browser

NONCE = bytes(NONCE_BYTES)
KEYS = Keyring({"k1": b"m" * 32})
SOON = 4_000_000_000_000


def link(gateway: GatewayHarness, scope: str = "ops", ends_at: int = SOON) -> str:
    key = gateway.bearer(scope)["authorization"].removeprefix("Bearer ")
    ticket = Ticket(hashlib.sha256(key.encode()).digest(), ends_at)
    return f"/dashboard/login?link={seal_ticket(KEYS, 'login', ticket, NONCE)}"


async def test_nobody_sees_a_page_before_the_login_and_is_led_back_after_it(
    gateway: GatewayHarness, browser: Browser
) -> None:
    first = await browser.http.get("/dashboard/tasks?status=failed", follow_redirects=False)
    assert first.status_code == 303
    assert (
        first.headers["location"] == "/dashboard/login?next=%2Fdashboard%2Ftasks%3Fstatus%3Dfailed"
    )
    form = await browser.page(first.headers["location"])
    assert 'value="/dashboard/tasks?status=failed"' in form
    key = gateway.bearer("read")["authorization"].removeprefix("Bearer ")
    following = {"key": key, "next": "/dashboard/tasks?status=failed"}
    response = await browser.http.post("/dashboard/login", data=following)
    assert response.url.path == "/dashboard/tasks"
    assert "read" in response.text
    assert key not in response.text


@pytest.mark.parametrize(
    "address",
    ["https://evil.example", "//evil.example", "/dashboard//evil.example", "/dashboard\\x", "/v1"],
)
async def test_a_login_leads_to_no_other_place(
    gateway: GatewayHarness, browser: Browser, address: str
) -> None:
    key = gateway.bearer("ops")["authorization"].removeprefix("Bearer ")
    response = await browser.http.post("/dashboard/login", data={"key": key, "next": address})
    assert response.url.path == "/dashboard"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    response = await browser.log_in()
    cookie = response.history[0].headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "secure", "path=/dash"))


@pytest.mark.parametrize("scope", ["launcher", "nobody"])
async def test_a_key_that_reads_no_tasks_does_not_log_in(browser: Browser, scope: str) -> None:
    key = f"slip_{scope}_{'a' * 43}"
    response = await browser.http.post("/dashboard/login", data={"key": key})
    assert response.status_code == (403 if scope == "launcher" else 401)
    assert COOKIE not in browser.http.cookies
    assert 'role="alert"' in response.text


async def test_another_site_logs_nobody_in(gateway: GatewayHarness, browser: Browser) -> None:
    key = gateway.bearer("ops")["authorization"].removeprefix("Bearer ")
    response = await browser.http.post(
        "/dashboard/login", data={"key": key}, headers={"sec-fetch-site": "cross-site"}
    )
    assert response.status_code == 403
    assert COOKIE not in browser.http.cookies


async def test_a_session_ends_with_its_key(
    gateway: GatewayHarness, browser: Browser, database: NewDatabase
) -> None:
    await browser.log_in()
    await browser.page("/dashboard")
    await beside(database, "UPDATE api_keys SET revoked_at = 1 WHERE scope = 'ops'")
    gateway.app.context.keys._known.clear()  # type: ignore[attr-defined] # noqa: SLF001
    response = await browser.get("/dashboard")
    assert response.url.path == "/dashboard/login"


async def test_log_out_ends_the_session_of_the_browser(browser: Browser) -> None:
    await browser.log_in()
    response = await browser.send(await browser.page("/dashboard"), "/dashboard/logout")
    assert response.url.path == "/dashboard/login"
    assert (await browser.get("/dashboard")).url.path == "/dashboard/login"


async def test_a_link_logs_in_once(gateway: GatewayHarness, browser: Browser) -> None:
    address = link(gateway)
    assert (await browser.get(address)).url.path == "/dashboard"
    browser.http.cookies.clear()
    second = await browser.get(address)
    assert second.status_code == 401
    assert "has been used" in second.text


@pytest.mark.parametrize("spoil", ["expired", "changed", "of a session"])
async def test_no_other_link_logs_in(gateway: GatewayHarness, browser: Browser, spoil: str) -> None:
    address = link(gateway, ends_at=1 if spoil == "expired" else SOON)
    if spoil == "changed":
        address = address[:-2] + ("AA" if address[-2:] != "AA" else "BB")
    if spoil == "of a session":
        ticket = Ticket(b"d" * 32, SOON)
        address = f"/dashboard/login?link={seal_ticket(KEYS, 'session', ticket, NONCE)}"
    assert (await browser.get(address)).status_code == 401


@pytest.mark.parametrize("text", ["", ".", "k1.", "k1.AA", "k9." + "A" * 80, "k1.é", "k1.A" * 99])
def test_a_ticket_that_nobody_sealed_is_none(text: str) -> None:
    assert open_ticket(KEYS, "session", text, 0) is None


@pytest.mark.parametrize("spoil", ["token", "site", "type"])
async def test_a_form_of_another_site_changes_nothing(
    gateway: GatewayHarness, browser: Browser, spoil: str
) -> None:
    task = await gateway.create()
    await browser.log_in()
    page = await browser.page(f"/dashboard/tasks/{task['id']}")
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token
    headers = {"sec-fetch-site": "same-origin" if spoil != "site" else "cross-site"}
    if spoil == "type":
        headers["content-type"] = "text/plain"
    content = f"csrf={'0' * 64 if spoil == 'token' else token[1]}"
    headers.setdefault("content-type", "application/x-www-form-urlencoded")
    response = await browser.http.post(
        f"/dashboard/tasks/{task['id']}/cancel", content=content, headers=headers
    )
    assert response.status_code == 403
    assert (await gateway.task(task["id"]))["cancelRequestedAt"] is None


async def test_a_link_of_another_site_shows_the_page_to_one_who_is_logged_in(
    browser: Browser,
) -> None:
    """A browser sends a strict cookie only where the page before is ours."""
    response = await browser.http.get(
        "/dashboard/tasks", headers={"sec-fetch-site": "cross-site"}, follow_redirects=False
    )
    assert response.status_code == 200
    assert 'http-equiv="refresh"' in response.text


async def test_the_root_leads_browsers_alone_to_the_dashboard(
    gateway: GatewayHarness, browser: Browser
) -> None:
    response = await browser.http.get("/", headers={"accept": "text/html"}, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/dashboard")
    assert (await gateway.http.get("/")).status_code == 404
