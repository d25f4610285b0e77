"""A browser without a screen, and a gateway for it."""

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from gateway.cli.local.processes import wait_until_ready
from tests.app.processes import gateway_process
from tests.browser.installation import Installation
from tests.browser.people import Person, console
from tests.e2e import processes
from tests.forks.children import gateway_child
from tests.forks.programs import program
from tests.incident import make_incident
from tests.stores import FileDatabase
from tests.web.callers import add_keys

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    """One browser for all tests of a worker. Its driver kills it and leaves its files, on a busy
    machine its processes too: all of that is in a folder of ours."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("needs chromium and chromedriver (Debian: chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    # As most browsers do: of other sites only partitioned cookies are kept.
    prefs = {"profile.block_third_party_cookies": True, "profile.cookie_controls_mode": 1}
    options.add_experimental_option("prefs", prefs)
    with tempfile.TemporaryDirectory(prefix="slipgate-chromium-") as folder:
        start = program(Path(folder) / "driver", "tests.browser.driver:start", driver)
        service = ChromeService(str(start), env={**os.environ, "TMPDIR": folder})
        try:
            opened = Chrome(options=options, service=service)
            yield opened
            opened.quit()
        finally:
            processes.end_all(Path(folder))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures` writes the screenshots of the documentation."""
    parser.addoption("--pictures", action="store_true", help="take the screenshots of the docs")


class _Framing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A page that frames the address of its query."""
        page = f'<!doctype html><iframe src="{self.path[2:]}" width="900" height="700"></iframe>'
        self.send_response_only(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: object) -> None:
        """The test looks at the page."""


@pytest.fixture(scope="session")
def application() -> Iterator[str]:
    """The origin of an application, which may frame the portal."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Framing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, application: str) -> Iterator[Installation]:
    """A gateway that `restart` kills and starts again on the same port."""
    yield from _installation(tmp_path_factory.mktemp("gateway"), application)


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A gateway with 200 tasks, most of which fail."""
    folder = tmp_path_factory.mktemp("incident")
    asyncio.run(make_incident(folder / "s.db"))
    yield from _installation(folder)


def _installation(folder: Path, application: str = "") -> Iterator[Installation]:
    keys = add_keys(FileDatabase(folder / "s.db"))
    more = {
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
        "SLIPGATE_PORTAL_ORIGINS": application,
    }
    with gateway_process(folder, more, is_public=True) as (child, url, settings):

        def restart() -> None:
            child.kill()
            again = stack.enter_context(gateway_child(settings, folder / "gateway.log"))
            wait_until_ready(url, again)

        with ExitStack() as stack:
            http = httpx.Client(base_url=url, timeout=60, trust_env=False)
            yield Installation(http=stack.enter_context(http), keys=keys, restart=restart)


@pytest.fixture
def person(chrome: Chrome, running: Installation) -> Iterator[Person]:
    """Somebody who is not logged in yet; what the console complains about fails the test."""
    somebody = Person(chrome, running)
    somebody.forget()
    console(chrome)
    yield somebody
    somebody.check_console()
