"""Saved views of the page Tasks: kept by the browser, and never trusted."""

import base64
import re

import msgspec
import pytest

from tests.web.dashboard.browser import Browser

QUERY = "status=failed&errorCode=push_failed"


async def test_a_view_is_saved_chosen_and_removed_without_javascript(browser: Browser) -> None:
    await browser.log_in("read")
    page = await browser.page(f"/dashboard/tasks?{QUERY}")
    saved = await browser.send(page, "/dashboard/views", name="Push & fail")
    link = re.search(r'<a href="([^"]*)" aria-current="true">Push &amp; fail</a>', saved.text)
    assert link
    assert QUERY in link[1].replace("&amp;", "&")
    assert "Push &amp; fail" in await browser.page("/dashboard/tasks")
    removed = await browser.send(saved.text, "/dashboard/views/forget")
    assert "Push &amp; fail" not in removed.text


@pytest.mark.parametrize(
    "name", ["", "x" * 41, "a\u202eb", "\x00"], ids=["empty", "long", "turned", "no text"]
)
async def test_a_name_that_cannot_be_shown_is_refused(browser: Browser, name: str) -> None:
    await browser.log_in()
    page = await browser.page(f"/dashboard/tasks?{QUERY}")
    assert (await browser.send(page, "/dashboard/views", name=name)).status_code == 422


async def test_more_views_than_a_cookie_holds_are_refused(browser: Browser) -> None:
    await browser.log_in()
    page = await browser.page(f"/dashboard/tasks?repoUrl={'x' * 2_500}&{QUERY}")
    assert (await browser.send(page, "/dashboard/views", name="one")).status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        "!",
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(
            msgspec.json.encode({"<b>x": "next=//evil.example&status=failed"})
        ).decode(),
    ],
    ids=["no base64", "another document", "another query"],
)
async def test_a_cookie_of_somebody_else_shows_no_more_than_filters(
    browser: Browser, text: str
) -> None:
    await browser.log_in()
    browser.http.cookies.set("slipgate_views", text)
    response = await browser.get("/dashboard/tasks")
    assert response.status_code == 200
    assert "evil" not in response.text
    assert "<b>x" not in response.text
