"""Bulk actions and purges in the dashboard: a count first, then the action, then its progress."""

import asyncio
import re
from html import unescape

from tests.web.callers import GatewayHarness
from tests.web.dashboard.browser import Browser

QUERY = "status=queued&repoUrl=https%3A%2F%2Fgithub.com%2Facme%2Fwidgets&metadata.team=a%27b"
TEAM = "a'b"


async def test_all_that_match_are_counted_and_then_cancelled_once(
    gateway: GatewayHarness, browser: Browser
) -> None:
    made = [await gateway.create(metadata={"team": TEAM}) for _ in range(3)]
    other = await gateway.create()
    await browser.log_in("tasks")
    page = await browser.page(f"/dashboard/tasks?{QUERY}")
    fields = {"action": "cancel", "reason": "it's an outage"}
    counted = await browser.send(page, "/dashboard/bulk/preview", **fields)
    assert "Cancel 3 tasks?" in counted.text
    assert made[0]["id"] in counted.text
    assert (await gateway.task(made[0]["id"]))["status"] == "queued"
    shown = unescape(counted.text)
    assert "'--metadata=team=a'\"'\"'b'" in shown
    assert "it'\\''s an outage" in shown
    begun = await browser.send(counted.text, "/dashboard/bulk")
    assert re.fullmatch(r"/dashboard/bulk/bulk_\w+", begun.url.path)
    again = await browser.send(counted.text, "/dashboard/bulk")
    assert again.url == begun.url  # a form that is sent twice is one action
    await _over(browser, begun.url.path)
    listed = (await gateway.get("/v1/bulk")).json()["data"]
    assert [(one["action"], one["done"], one["reason"]) for one in listed] == [
        ("cancel", 3, "it's an outage")
    ]
    assert listed[0]["id"] in await browser.page("/dashboard/bulk")
    assert (await gateway.task(other["id"]))["status"] == "queued"


async def test_more_than_a_page_may_count_are_counted_when_they_start(
    gateway: GatewayHarness, browser: Browser
) -> None:
    for _ in range(3):
        await gateway.create()
    await browser.log_in("tasks")
    page = await browser.page("/dashboard/tasks?status=queued")
    with gateway.limited_bulk(3, preview=2):
        fields = {"action": "cancel", "reason": "all"}
        counted = await browser.send(page, "/dashboard/bulk/preview", **fields)
        assert "Cancel all tasks that match?" in counted.text
        begun = await browser.send(counted.text, "/dashboard/bulk")
    assert "Cancel 3 tasks" in await _over(browser, begun.url.path)


async def _over(browser: Browser, path: str) -> str:
    async with asyncio.timeout(60):
        while "/abort" in (page := await browser.page(path)):
            pass
    return page


async def test_what_is_refused_is_named(gateway: GatewayHarness, browser: Browser) -> None:
    task = await gateway.create()
    await browser.log_in("tasks")
    page = await browser.page("/dashboard/tasks?status=queued")
    counted = await browser.send(page, "/dashboard/bulk/preview", action="retry", reason="x")
    begun = await browser.send(counted.text, "/dashboard/bulk")
    page = await _over(browser, begun.url.path)
    assert "not_finished" in page
    assert f"/dashboard/tasks/{task['id']}" in page


async def test_one_who_may_only_read_sees_bulk_actions_and_starts_none(
    gateway: GatewayHarness, browser: Browser
) -> None:
    await gateway.create()
    await browser.log_in("read")
    assert "/bulk/preview" not in await browser.page("/dashboard/tasks?status=queued")
    assert "No bulk actions yet" in await browser.page("/dashboard/bulk")


async def test_a_task_is_purged_by_ops_and_says_so(
    gateway: GatewayHarness, browser: Browser
) -> None:
    task = await gateway.create(prompt="a text that has to go")
    path = f"/dashboard/tasks/{task['id']}"
    await gateway.post(f"/v1/tasks/{task['id']}/cancel")
    await browser.log_in("tasks")
    assert "/purge" not in await browser.page(path)
    await browser.log_in()
    page = await browser.page(path)
    purged = await browser.send(page, f"{path}/purge", reason="personal data")
    assert "The contents of the task are gone." in purged.text
    assert "its states are kept" in purged.text
    for tab in ("timeline", "log", "diff", "receipts", "attempts", "deliveries", "request"):
        shown = await browser.page(f"{path}?tab={tab}")
        assert "a text that has to go" not in shown
        assert f'action="{path}/retry"' not in shown
