"""The dashboard as people use it."""

from collections.abc import Sequence
from itertools import cycle

from selenium.webdriver import Keys

from tests.browser.installation import Installation
from tests.browser.people import AXE_OPTIONS, OF_A_LOOK, Person

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
Look = tuple[tuple[int, int], str]
LOOKS: tuple[Look, Look] = (((1200, 900), "light"), ((360, 740), "dark"))
"""Sizes of the window [px], and colours."""
MANY = 60
"""Tasks, of which a page shows 50."""


def test_a_task_is_followed_live_to_its_end(person: Person, running: Installation) -> None:
    task, agent = running.launch(title="Health endpoint")
    person.log_in()
    person.open(f"/dashboard/tasks/{task['id']}")
    person.waits_for(".explain .state", "running")
    person.run("document.body.dataset.seen = 'yes'")
    agent.emit("task.progress", stage="agent", message="turn 1 of 60")
    person.waits_for(".timeline", "turn 1 of 60")
    agent.emit("task.completed", summary="Added it", branchName="b", validation=[])
    person.waits_for(".explain .state", "completed")
    assert person.run("return document.body.dataset.seen") == "yes"


def test_a_page_goes_on_when_the_gateway_was_killed(person: Person, running: Installation) -> None:
    task, agent = running.launch()
    person.log_in()
    person.open(f"/dashboard/tasks/{task['id']}")
    person.until(lambda: person.find("#live").is_displayed())
    running.restart()
    agent.emit("task.progress", stage="agent", message="after the kill")
    person.waits_for(".timeline", "after the kill")
    assert person.find(".timeline").text.count("after the kill") == 1


def test_a_task_is_cancelled_with_the_keyboard_alone(person: Person, running: Installation) -> None:
    task = running.create(title="Only keys")
    person.log_in()
    person.press("g", "t")
    person.until(lambda: person.path.startswith("/dashboard/tasks"))
    person.press("j")
    person.until(lambda: bool(person.all("tr.selected")))
    person.press(Keys.ENTER)
    person.waits_for("h1", "Only keys")
    person.press("?")
    person.until(lambda: person.find("#keys").is_displayed())
    person.press(Keys.ESCAPE)
    person.tab_to("Cancel")
    person.press(Keys.ENTER)
    person.chrome.switch_to.alert.accept()
    person.waits_for(".state", "cancelled")
    assert running.read(f"/v1/tasks/{task['id']}")["status"] == "cancelled"


def test_a_new_secret_is_shown_once_and_is_part_of_no_page(
    person: Person, running: Installation
) -> None:
    made = running.post("/v1/endpoints", {"url": "https://app.example/x"}, "ops")
    person.log_in()
    person.open(f"/dashboard/endpoints/{made['id']}")
    person.tab_to("Rotate the secret")
    person.press(Keys.ENTER)
    person.tab_to("Rotate")
    person.press(Keys.ENTER)
    person.waits_for("dialog output", "whsec_")
    secret = person.find("dialog output").text.split()[1]
    shown = person.find("html")
    person.press(Keys.ENTER)
    person.until(lambda: shown != person.find("html"))
    assert secret not in person.chrome.page_source


def test_more_tasks_than_a_page_shows_are_retried_by_filter_with_the_keyboard_alone(
    person: Person, running: Installation
) -> None:
    repository = "https://github.com/acme/legacy"
    for _ in range(MANY):
        running.create(repoUrl=repository)
    wanted = {"repoUrl": repository, "status": ["queued"]}
    body = {"action": "cancel", "filter": wanted, "reason": "the provider is down"}
    running.finish_bulk(running.post("/v1/bulk", body, "ops"))
    person.log_in()
    person.press("/")
    person.until(lambda: person.path.startswith("/dashboard/tasks"))
    person.press(repository, Keys.ENTER)
    person.until(lambda: "legacy" in person.path)
    person.tab_to("status")
    person.press("cancelled")
    person.tab_to("Filter")
    person.press(Keys.ENTER)
    person.until(lambda: "status=cancelled" in person.path)
    person.tab_to("Act on all that match")
    person.press(Keys.ENTER)
    person.tab_to("action")
    person.press("retry", Keys.TAB, "the provider is back", Keys.ENTER)
    person.waits_for("h1", f"Retry {MANY} tasks?")
    person.tab_to(f"Retry {MANY} tasks")
    person.press(Keys.ENTER)
    person.waits_for("section", f"{MANY} done, 0 refused, of {MANY}")
    assert "the provider is back" in person.text
    found = running.read(f"/v1/tasks?status=queued&repoUrl={repository}&limit=200")
    assert len(found["data"]) == MANY
    running.finish_bulk(running.post("/v1/bulk", body, "ops"))  # nobody else gets them to launch


def test_nothing_that_an_agent_writes_runs(person: Person, running: Installation) -> None:
    task, agent = running.launch(title=EVIL, prompt=EVIL, metadata={EVIL: EVIL})
    agent.emit("task.progress", stage=EVIL[:40], message=EVIL)
    agent.emit("task.log", chunk=EVIL, offset=0)
    receipt = {"command": EVIL, "exitCode": 1, "seconds": 1.0, "outputTail": EVIL}
    diff = f"diff --git a/{EVIL} b/{EVIL}\n--- a/{EVIL}\n+++ b/{EVIL}\n@@ -1 +1 @@\n+{EVIL}\n"
    agent.emit("task.needs_review", summary=EVIL, branchName="b", validation=[receipt], patch=diff)
    person.log_in()
    paths = ["/dashboard", "/dashboard/tasks", "/dashboard/deliveries"]
    tabs = ("timeline", "log", "diff", "receipts", "attempts", "deliveries", "request")
    paths += [f"/dashboard/tasks/{task['id']}?tab={tab}" for tab in tabs]
    for path in paths:
        person.open(path)
        assert "owned" not in person.chrome.title.removeprefix(EVIL)
        assert not person.all("main script, main img")


def test_every_page_is_readable_by_everybody(person: Person, running: Installation) -> None:
    task, agent = running.launch(callbackUrl=f"{running.url}/nowhere")
    agent.emit("task.progress", stage="agent", message="turn 1")
    agent.emit("task.log", chunk="working\n", offset=0)
    running.create(repoUrl="https://github.com/acme/a-repository-with-a-rather-long-name")
    made = running.post("/v1/endpoints", {"url": "https://app.example/x"}, "ops")
    since = {"since": "2026-01-01T00:00:00Z", "dryRun": True}
    running.post(f"/v1/endpoints/{made['id']}/replay", since, "ops")
    wanted = {"action": "retry", "filter": {"status": ["queued"]}, "reason": "a try"}
    bulk = running.post("/v1/bulk", wanted, "ops")
    _, other = running.launch(keepSandbox=True)
    other.emit("task.completed", summary="x", branchName="b", validation=[])
    with person.with_axe():
        check_every_look(person, "/dashboard/login", LOOKS)
    person.log_in()
    person.open("/dashboard/tasks?status=queued")
    person.find("details summary").click()
    person.find("#view-name").send_keys("waiting", Keys.ENTER)
    person.waits_for("nav.tabs", "waiting")
    names = ["", "/tasks?status=queued", "/bulk", f"/bulk/{bulk['id']}", "/launchers"]
    names += ["/endpoints", f"/endpoints/{made['id']}", "/deliveries", "/access", "/health"]
    paths = [f"/dashboard{name}" for name in names]
    tabs = ("timeline", "log", "diff", "receipts", "attempts", "deliveries", "request")
    paths += [f"/dashboard/tasks/{task['id']}?tab={tab}" for tab in tabs]
    with person.with_axe():
        for path, looks in zip(paths, cycle((LOOKS[::-1], LOOKS)), strict=False):
            check_every_look(person, path, looks)  # from the last look of the page before


def check_every_look(person: Person, path: str, looks: Sequence[Look]) -> None:
    """The page in each look; at the second one what depends on it."""
    person.open(path)
    person.run("for (const one of document.querySelectorAll('details')) one.open = true")
    for (size, scheme), rules in zip(looks, (AXE_OPTIONS, OF_A_LOOK), strict=True):
        person.chrome.set_window_size(*size)
        person.prefers(scheme)
        width = person.run("return document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, (path, size)
        person.check_accessibility(rules)
