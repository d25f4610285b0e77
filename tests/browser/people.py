"""A person with a browser: opens pages, looks, clicks, types."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from selenium.common import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.installation import Installation

PATIENCE: Final = 60
"""Seconds; a busy machine is no failure."""
MOST_TABS: Final = 100
AXE: Final = Path(sys.prefix) / "node/node_modules/axe-core/axe.min.js"
AXE_OPTIONS: Final = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "resultTypes": ["violations"],
    "selectors": False,
}
"""To describe what is as it should be, and where, would take half of the time."""
OF_A_LOOK: Final = {
    **AXE_OPTIONS,
    "runOnly": {
        "type": "rule",
        "values": ["color-contrast", "link-in-text-block", "scrollable-region-focusable"],
    },
}
"""The same, of what depends on colours and on the size of the window."""
_GONE: Final = (NoSuchElementException, StaleElementReferenceException)
_COMPLAINTS: Final = ("Content Security Policy", "Uncaught", "TypeError", "SyntaxError")


class Person:
    """Somebody before the screen."""

    def __init__(self, chrome: Chrome, running: Installation) -> None:
        self.chrome = chrome
        self._running = running

    def forget(self) -> None:
        """Leaves the page, which could renew its session, and ends all sessions: the driver's own
        command would keep the cookies of other paths and hosts."""
        self.chrome.get("about:blank")
        self.chrome.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def open(self, path: str) -> None:
        self.chrome.get(self._running.url + path)

    def log_in(self, scope: str = "ops") -> None:
        self.open("/")
        self.find("#key").send_keys(self._running.keys[scope] + Keys.ENTER)
        self.waits_for("h1", "Now")

    @property
    def path(self) -> str:
        return self.chrome.current_url.removeprefix(self._running.url)

    @property
    def text(self) -> str:
        return self.find("body").text

    def find(self, selector: str) -> WebElement:
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        """Clicks, and waits for the page that it leads to."""
        before = self.find("html")
        self.find(selector).click()
        self.until(lambda: before != self.find("html"))

    def waits_for(self, selector: str, text: str) -> None:
        """Looks until an element has this text; nothing is loaded again by hand."""
        self.until(lambda: any(text in one.text for one in self.all(selector)))

    def until(self, condition: Callable[[], bool]) -> None:
        WebDriverWait(self.chrome, PATIENCE, ignored_exceptions=_GONE).until(lambda _: condition())

    def press(self, *keys: str) -> None:
        """Types without a mouse, wherever the focus is."""
        for key in keys:
            ActionChains(self.chrome).send_keys(key).perform()

    def tab_to(self, text: str) -> None:
        """Goes on with Tab until what has this text, name or value is in focus."""
        for _ in range(MOST_TABS):
            self.press(Keys.TAB)
            focused = self.run(
                "const one = document.activeElement; return [one.innerText, one.name]"
            )
            if text in focused:
                return
        raise AssertionError(f"no way to {text!r} with {MOST_TABS} times Tab")

    def run(self, script: str, *given: object) -> Any:  # JavaScript's own values
        return self.chrome.execute_script(script, *given)

    def prefers(self, scheme: str) -> None:
        """Asks pages for their `dark` or `light` colours, at once."""
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert self.run(f"return matchMedia('(prefers-color-scheme: {scheme})').matches")

    def check_console(self) -> None:
        """Fails if a script has failed, or the browser has refused something by the policy."""
        lines = [str(line["message"]) for line in console(self.chrome)]
        assert not [line for line in lines if any(word in line for word in _COMPLAINTS)]

    @contextmanager
    def with_axe(self) -> Iterator[None]:
        """Pages that are opened in the block have axe-core in them: to send it to each takes 50 ms
        of processor time."""
        if not AXE.exists():
            pytest.skip("needs axe-core, which `make test` fetches with npm")
        source = {"source": AXE.read_text("utf-8")}
        added = self.chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
        try:
            yield
        finally:
            self.chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

    def check_accessibility(self, options: Mapping[str, object] = AXE_OPTIONS) -> None:
        """Fails for what axe-core finds against WCAG A and AA in a page that was opened with it."""
        found = self.chrome.execute_async_script(
            "axe.run(arguments[0]).then(result => arguments[1](result.violations.map("
            "one => [one.id, one.nodes.map(node => node.html)])))",
            options,
        )
        assert found == []


def console(chrome: Chrome) -> list[dict[str, object]]:
    """The lines of the console since the last look."""
    lines: list[dict[str, object]] = chrome.get_log("browser")  # type: ignore[no-untyped-call]
    return lines
