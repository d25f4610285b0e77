"""The portal as a customer uses it."""

from selenium.webdriver.common.keys import Keys

from tests.browser.installation import Installation
from tests.browser.people import Person, console

EVIL = "<script>document.title='owned'</script>"


def test_a_customer_adds_an_endpoint_and_sees_what_it_gets(
    person: Person, running: Installation
) -> None:
    for name in ("invoice.paid", "order.made"):
        running.post(f"/v1/event-types/{name}", {"description": EVIL}, "ops", method="PUT")
    link = running.post("/v1/portal-links", {"customer": "acme"}, "tasks")["url"]
    person.open(f"/portal{link.partition('/portal')[2]}")
    person.waits_for(".empty", "No endpoints yet")
    assert person.path == "/portal"
    person.find("#url").send_keys("http://127.0.0.1:9/hook")
    person.find("#description").send_keys(EVIL)
    person.find("input[value='invoice.paid']").send_keys(Keys.SPACE)
    person.click("form[action='/portal/endpoints'] button")
    person.waits_for("pre", "whsec_")
    person.click("main a")
    person.waits_for(".state", "enabled")
    assert [each["eventTypes"] for each in running.read("/v1/endpoints?customer=acme")["data"]] == [
        ["invoice.paid"]
    ]
    body = {"type": "invoice.paid", "data": {"note": EVIL}, "customer": "acme"}
    running.post("/v1/events", body, "tasks")
    person.open("/portal/deliveries")
    person.waits_for("table", "invoice.paid")
    person.click("table a")
    person.waits_for("pre", "document.title")
    assert "owned" not in person.chrome.title
    person.click(".bar button")
    person.waits_for("h1", "Unauthorized")


def test_a_customer_works_in_a_frame_of_the_application_and_of_no_other_page(
    person: Person, running: Installation, application: str
) -> None:
    link = running.post("/v1/portal-links", {"customer": "initech"}, "tasks")["url"]
    person.chrome.get(f"{application}/?{link}")
    person.chrome.switch_to.frame(person.find("iframe"))
    person.waits_for(".empty", "No endpoints yet")
    person.find("#url").send_keys("http://127.0.0.1:9/hook")
    person.click("form[action='/portal/endpoints'] button")
    person.waits_for("pre", "whsec_")
    person.chrome.switch_to.default_content()
    person.check_console()
    person.chrome.get(f"{application.replace('localhost', '127.0.0.1')}/?{link}")
    refused = [line for line in console(person.chrome) if "frame-ancestors" in str(line["message"])]
    assert refused


def test_the_pages_of_a_customer_can_be_read_by_everybody(
    person: Person, running: Installation
) -> None:
    running.post("/v1/event-types/invoice.paid", {"description": "Paid."}, "ops", method="PUT")
    customer = {"customer": "globex"}
    link = running.post("/v1/portal-links", customer, "tasks")["url"]
    made = running.post("/v1/endpoints", customer | {"url": "http://127.0.0.1:9/x"}, "ops")
    running.post("/v1/events", customer | {"type": "invoice.paid", "data": {}}, "tasks")
    person.open(f"/portal{link.partition('/portal')[2]}")
    with person.with_axe():
        for path in ("", f"/endpoints/{made['id']}", "/deliveries"):
            person.open(f"/portal{path}")
            person.check_accessibility()
