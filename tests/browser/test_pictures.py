"""The screenshots of the documentation. `make pictures` takes them anew; each run of the tests
opens the same pages."""

import base64
from typing import Final

import pytest
from selenium.webdriver import Chrome

from gateway.web.operations.docs_pages import IMAGES
from tests.browser.installation import Installation
from tests.browser.people import Person

WIDTH, HEIGHT = 1200, 860
QUALITY: Final = 55
MOST_BYTES: Final = 60_000
PAGES: Final = {
    "now": "/dashboard",
    "tasks": "/dashboard/tasks?status=failed,timed_out,expired",
    "task": "/dashboard/tasks/{silent}",
    "launchers": "/dashboard/launchers",
    "endpoint": "/dashboard/endpoints/ep_benchmarkfrontend",
    "portal": "/portal",
}
"""The name of each picture, and its page."""
DESCRIBED: Final = {
    "invoice.paid": "An invoice was paid.",
    "invoice.refunded": "A payment was given back.",
    "order.shipped": "An order has left the stock.",
}
"""The catalogue of the portal."""


def test_each_picture_of_the_documentation_can_be_taken(
    chrome: Chrome, incident: Installation, request: pytest.FixtureRequest
) -> None:
    person = Person(chrome, incident)
    person.forget()
    chrome.set_window_size(WIDTH, HEIGHT)
    person.prefers("light")
    person.log_in()
    let_in(person, incident)
    silent = incident.read("/v1/tasks?flag=silent&limit=1")["data"][0]["id"]
    for name, path in PAGES.items():
        person.open(path.format(silent=silent))
        assert person.find("h1").is_displayed()
        if name == "portal":
            person.find("main > details > summary").click()
        picture = _picture(chrome)
        assert 5_000 < len(picture) < MOST_BYTES, name
        if request.config.getoption("--pictures", default=False):
            (IMAGES / f"{name}.webp").write_bytes(picture)
    assert {file.stem for file in IMAGES.iterdir()} == set(PAGES)


def let_in(person: Person, incident: Installation) -> None:
    """Opens the portal of a customer with two endpoints, one of them disabled."""
    for name, meaning in DESCRIBED.items():
        incident.post(f"/v1/event-types/{name}", {"description": meaning}, "ops", method="PUT")
    for path, types in (("stock", ["order.shipped"]), ("billing", ["invoice.*"])):
        wanted = {"url": f"https://acme.example/{path}", "eventTypes": types, "customer": "acme"}
        made = incident.post("/v1/endpoints", wanted | {"description": f"for {path}"}, "ops")
        if path == "stock":
            incident.post(f"/v1/endpoints/{made['id']}/disable", {}, "ops")
    link = incident.post("/v1/portal-links", {"customer": "acme"}, "tasks")["url"]
    person.open(f"/portal{link.partition('/portal')[2]}")
    person.waits_for("table", "acme.example")


def _picture(chrome: Chrome) -> bytes:
    wanted = {"format": "webp", "quality": QUALITY}
    taken = chrome.execute_cdp_cmd("Page.captureScreenshot", wanted)
    return base64.b64decode(taken["data"])
