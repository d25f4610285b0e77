"""The pages of the dashboard: every page is shown, acts through the API, and trusts no text."""

import re
import shlex
from html import unescape

import pytest

from tests.docs.test_commands import check
from tests.web.callers import Agent, GatewayHarness
from tests.web.dashboard.browser import Browser

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
TABS = ("timeline", "log", "diff", "receipts", "attempts", "deliveries", "request")
DIFF = "diff --git a/é.py b/é.py\n--- a/é.py\n+++ b/é.py\n@@ -1 +1,2 @@\n app\n+<b>health</b>\n"
RECEIPT = {"command": f"make {EVIL}", "exitCode": 1, "seconds": 1.0, "outputTail": EVIL}


async def _busy(agent: Agent) -> None:
    """An agent that writes markup wherever it may write."""
    await agent.emit("task.started", "m1")
    await agent.emit("task.progress", "m2", stage="agent", message=EVIL)
    await agent.emit("task.log", "m3", chunk=EVIL, offset=0)
    usage = {"inputTokens": 9_000, "outputTokens": 700, "costUsd": 0.04, "turns": 7}
    await agent.emit("task.usage", "m4", **usage)
    ended = await agent.emit(
        "task.needs_review", "m5", summary=EVIL, branchName="b", validation=[RECEIPT], patch=DIFF
    )
    assert ended.status_code == 202, ended.text


@pytest.mark.alike
async def test_no_text_of_an_agent_becomes_markup(
    gateway: GatewayHarness, browser: Browser
) -> None:
    job, agent = await gateway.launch(title=EVIL, prompt=EVIL, metadata={EVIL: EVIL})
    await _busy(agent)
    await browser.log_in()
    pages = ["/dashboard", "/dashboard/tasks"]
    pages += [f"/dashboard/tasks/{job['taskId']}?tab={tab}" for tab in TABS]
    seen = ""
    for path in pages:
        response = await browser.get(path)
        assert response.status_code == 200
        assert "<script>" not in response.text
        assert "<img" not in response.text
        assert "<b>health" not in response.text
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        shown = unescape(response.text)
        assert EVIL in shown
        seen += shown
    assert "+<b>health</b>" in seen
    for words in ("7 turns, 9000 tokens in, 700 out, 0.04 USD", "<br>destroying at local"):
        assert words in seen


async def test_every_page_is_shown_when_there_is_nothing_yet(browser: Browser) -> None:
    await browser.log_in()
    for name in (
        "",
        "/tasks",
        "/bulk",
        "/launchers",
        "/endpoints",
        "/deliveries",
        "/access",
        "/health",
    ):
        page = await browser.page(f"/dashboard{name}")
        assert page.count("<h1") == 1
        assert "slipgate" in page


def _check_commands(page: str) -> None:
    """Every command of a page is one, and every action shows its request."""
    for code in re.findall(r"<code>(slipgate [^<]*)</code>", page):
        check(shlex.split(unescape(code))[1:])
    for path in re.findall(r'<form method="post" action="/dashboard(/[^"]*)"', page):
        route = path.removeprefix("/access").removesuffix("/preview")
        if path != "/logout" and not path.startswith("/views"):
            assert f"/v1{unescape(route)}" in page, path


async def test_every_link_of_every_page_leads_somewhere(
    gateway: GatewayHarness, browser: Browser
) -> None:
    made = await gateway.post(
        "/v1/endpoints", {"url": "https://app.example/x", "eventTypes": ["*"]}, scope="ops"
    )
    assert made.status_code == 201
    _, agent = await gateway.launch(callbackUrl="https://app.example/hook")
    await _busy(agent)
    await browser.log_in()
    waiting, seen = ["/dashboard"], set[str]()
    while waiting:
        path = waiting.pop()
        response = await browser.get(path)
        assert response.status_code == 200, (path, response.text)
        if response.headers["content-type"].startswith("text/html"):
            found = re.findall(r'href="(/[^"#]*)', response.text)
            if path.startswith("/dashboard"):
                _check_commands(response.text)
            new = {unescape(link) for link in found if "/feed" not in link} - seen
            seen |= new
            waiting += sorted(new)
    assert {path.split("/")[2] for path in seen if path.startswith("/dashboard/")} >= {
        *("tasks", "bulk", "launchers", "endpoints", "deliveries", "access", "health", "static"),
    }


@pytest.mark.alike
async def test_a_task_is_cancelled_and_tried_again_once(
    gateway: GatewayHarness, browser: Browser
) -> None:
    task = await gateway.create()
    path = f"/dashboard/tasks/{task['id']}"
    await browser.log_in("tasks")
    page = await browser.page(path)
    for _ in range(2):  # a form that is sent twice has one effect
        response = await browser.send(page, f"{path}/cancel")
        assert 'role="status"' in response.text
    assert (await gateway.task(task["id"]))["status"] == "cancelled"
    page = await browser.page(path)
    await browser.send(page, f"{path}/retry")
    await browser.send(page, f"{path}/retry")
    shown = await gateway.task(task["id"])
    assert (shown["status"], shown["attempt"]) == ("queued", 2)


@pytest.mark.alike
async def test_one_who_may_only_read_sees_no_action_and_can_do_none(
    gateway: GatewayHarness, browser: Browser
) -> None:
    task = await gateway.create()
    path = f"/dashboard/tasks/{task['id']}"
    await browser.log_in("read")
    page = await browser.page(path)
    assert '/cancel"' not in page
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token
    response = await browser.http.post(f"{path}/cancel", data={"csrf": token[1]})
    assert response.status_code == 403
    for name in ("launchers", "endpoints", "deliveries", "access"):
        assert (await browser.get(f"/dashboard/{name}")).status_code == 403


@pytest.mark.alike
async def test_a_project_sees_its_own_tasks_alone(
    gateway: GatewayHarness, browser: Browser
) -> None:
    task = await gateway.create()
    await browser.log_in("other")
    assert task["id"] not in await browser.page("/dashboard/tasks")
    response = await browser.get(f"/dashboard/tasks/{task['id']}")
    assert response.status_code == 404
    assert "There is no such task" in response.text


@pytest.mark.alike
async def test_filters_are_those_of_the_api(gateway: GatewayHarness, browser: Browser) -> None:
    first, second = await gateway.create(), await gateway.create()
    await gateway.post(f"/v1/tasks/{first['id']}/cancel")
    await browser.log_in()
    page = await browser.page("/dashboard/tasks?status=cancelled&flag=&errorCode=")
    assert first["id"] in page
    assert second["id"] not in page
    assert "slipgate tasks list --status=cancelled" in page
    wrong = await browser.get("/dashboard/tasks?status=done")
    assert wrong.status_code == 422
    assert "Expected some of" in wrong.text


@pytest.mark.alike
async def test_a_problem_leads_to_all_its_tasks(gateway: GatewayHarness, browser: Browser) -> None:
    job, agent = await gateway.launch()
    error = {"stage": "agent", "code": "model_auth", "message": "401", "retryable": False}
    await agent.emit("task.failed", "m1", error=error)
    await browser.log_in()
    link = re.search(r'href="([^"]*)">all of them', await browser.page("/dashboard"))
    assert link
    page = await browser.page(unescape(link[1]))
    assert job["taskId"] in page
    assert "Act on all that match" in page


@pytest.mark.alike
async def test_an_endpoint_is_made_rotated_disabled_enabled_and_replayed(
    gateway: GatewayHarness, browser: Browser
) -> None:
    await browser.log_in()
    page = await browser.page("/dashboard/endpoints")
    made = await browser.send(
        page, "/dashboard/endpoints", url="https://app.example/x", eventTypes="task.*"
    )
    assert made.headers["content-type"].startswith("text/plain")
    again = await browser.send(
        page, "/dashboard/endpoints", url="https://app.example/x", eventTypes="task.*"
    )
    assert again.text == made.text  # a form that is sent twice makes one
    name, secret = made.text.split()
    assert secret.startswith("whsec_")
    path = f"/dashboard/endpoints/{name}"
    page = await browser.page(path)
    assert secret not in page
    rotated = await browser.send(page, f"{path}/rotate-secret", overlapSeconds="60")
    assert rotated.text.split()[1].startswith("whsec_")
    assert rotated.text.split()[1] != secret
    wrong = await browser.send(page, f"{path}/rotate-secret", overlapSeconds="x")
    assert wrong.status_code == 422
    assert "overlapSeconds" in wrong.text
    page = (await browser.send(page, f"{path}/disable")).text
    assert "disabled" in page
    page = (await browser.send(page, f"{path}/enable", backlog="deliver")).text
    replayed = await browser.send(page, f"{path}/replay", since="2026-01-01T00:00", dryRun="on")
    assert "A replay would send 0 deliveries" in replayed.text
    listed = await browser.page("/dashboard/bulk")
    assert f'href="{replayed.url.raw_path.decode()}">replay, dry run' in listed
    assert f'href="{path}">https://app.example</a>' in listed
    shown = (await gateway.get(f"/v1/endpoints/{name}", scope="ops")).json()
    assert shown["enabled"]
    page = await browser.page("/dashboard/endpoints")
    await browser.send(page, "/dashboard/endpoints", url="https://x.example/", customer="a&b=<c>")
    (link,) = re.findall(r'href="(\?customer=[^"]*)"', await browser.page("/dashboard/endpoints"))
    page = await browser.page(f"/dashboard/endpoints{link}")
    assert ("x.example" in page, "app.example/x" in page, "<c>" in page) == (True, False, False)


@pytest.mark.alike
async def test_the_feed_goes_on_behind_the_last_event(
    gateway: GatewayHarness, browser: Browser
) -> None:
    task = await gateway.create()
    await browser.log_in()
    page = await browser.page(f"/dashboard/tasks/{task['id']}")
    feed = re.search(r'data-feed="([^"]+)"', page)
    assert feed
    assert unescape(feed[1]) == f"/dashboard/tasks/{task['id']}/feed?after=1"
    events = await browser.get(unescape(feed[1]))
    assert events.json()["data"] == []


@pytest.mark.alike
@pytest.mark.parametrize("name", ["../session.py", "none.css", "dashboard.js.map"])
async def test_no_other_file_is_served(browser: Browser, name: str) -> None:
    response = await browser.get(f"/dashboard/static/{name}")
    assert response.status_code == 404


@pytest.mark.alike
async def test_switches_are_paused_and_resumed_with_a_reason(
    gateway: GatewayHarness, browser: Browser
) -> None:
    await browser.log_in()
    page = await browser.page("/dashboard")
    assert "their queue clocks stand still" in page
    paused = await browser.send(
        page, "/dashboard/switches", name="launching", reason=EVIL, until="2099-01-01T00:00"
    )
    assert EVIL in unescape(paused.text)
    assert "<img" not in paused.text
    assert 'href="#switches"' in paused.text
    assert "slipgate switches resume launching" in paused.text
    data = (await gateway.get("/v1/switches", scope="ops")).json()["data"]
    assert [one["state"] for one in data] == ["on", "paused", "on"]
    wrong = await browser.send(page, "/dashboard/switches", reason="x", until="soon")
    assert wrong.status_code == 422
    on = {"name": "launching", "state": "on", "reason": "over"}
    resumed = await browser.send(paused.text, "/dashboard/switches", **on)
    assert "The switch is on again." in resumed.text
    held = {"launching": "paused", "provider": "local", "reason": "x"}
    assert (await gateway.send("PUT", "/v1/switches", held, "ops")).status_code == 200
    assert "switches resume launching --provider=local" in await browser.page("/dashboard")
    await browser.log_in("read")
    assert "/dashboard/switches" not in await browser.page("/dashboard")


@pytest.mark.alike
async def test_a_launcher_is_drained_and_resumed(gateway: GatewayHarness, browser: Browser) -> None:
    await gateway.claim(capacity=0)
    await browser.log_in()
    page = await browser.page("/dashboard/launchers")
    path = "/dashboard/launchers/l1"
    drained = await browser.send(page, path, verb="drain", reason="new kernel")
    assert "new kernel" in drained.text
    (launcher,) = (await gateway.get("/v1/launchers", scope="ops")).json()["data"]
    assert launcher["mode"] == "drained"
    resumed = await browser.send(drained.text, path, verb="resume", reason="done")
    assert "works again" in resumed.text
    revoked = await browser.send(resumed.text, path, verb="revoke", reason="host is gone")
    assert "its calls are refused" in revoked.text
    (launcher,) = (await gateway.get("/v1/launchers", scope="ops")).json()["data"]
    assert launcher["mode"] == "revoked"
    assert (await browser.send(page, path, verb="stop", reason="x")).status_code == 422


@pytest.mark.alike
async def test_living_sandboxes_are_listed_until_they_are_gone(
    gateway: GatewayHarness, browser: Browser
) -> None:
    kept, agent = await gateway.launch(keepSandbox=True)
    running, _ = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="x", branchName="b", validation=[])
    await browser.log_in()
    page = await browser.page("/dashboard/launchers?limit=1")
    assert kept["sandbox"]["name"] in page
    assert "kept" in page
    assert running["sandbox"]["name"] not in page
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    second = await browser.page(unescape(following[1]))
    assert running["sandbox"]["name"] in second
    assert "Cancel in its task" in second
    assert "/bulk/preview" not in second
    assert 'rel="next"' not in second
    counted = await browser.send(page, "/dashboard/bulk/preview", reason="seen enough")
    assert "Destroy 1 task?" in counted.text
    assert kept["taskId"] in counted.text
    path = f"/dashboard/tasks/{kept['taskId']}/attempts/1/release"
    await browser.send(page, path, reason="not in the provider's list")
    assert kept["sandbox"]["name"] not in await browser.page("/dashboard/launchers")
    wrong = await browser.get("/dashboard/launchers?cursor=bogus")
    assert wrong.status_code == 400


@pytest.mark.alike
async def test_of_a_long_log_and_a_long_patch_a_bounded_part_is_shown(
    gateway: GatewayHarness, browser: Browser
) -> None:
    job, agent = await gateway.launch()
    for number in range(5):
        chunk = f"<{number}>" + "x" * 60_000
        await agent.emit("task.log", f"m{number}", chunk=chunk, offset=number * 60_003)
    lines = "".join(f"+{number}\n" for number in range(6_000))
    diff = f"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +1,6000 @@\n{lines}"
    await agent.emit(
        "task.needs_review", "end", summary="x", branchName="b", validation=[], patch=diff
    )
    await browser.log_in()
    log = unescape(await browser.page(f"/dashboard/tasks/{job['taskId']}?tab=log"))
    assert "The end of the log" in log
    assert "<4>" in log
    assert "<0>" not in log
    shown = await browser.page(f"/dashboard/tasks/{job['taskId']}?tab=diff")
    assert "The beginning of the patch" in shown
    assert "+4990<" in shown
    assert "+5999<" not in shown
    assert "<dt>Branch</dt><dd>it pushed none</dd>" in shown
