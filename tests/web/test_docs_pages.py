"""`/docs`: the pages as the gateway serves them."""

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from tests.web.callers import GatewayHarness

FOLDER: Final = Path(__file__).parents[2] / "gateway" / "docs"
PAGES: Final = sorted(file.stem for file in FOLDER.glob("*.md") if file.stem != "index")


class Page(HTMLParser):
    """The ids, links and loaded resources of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record one tag."""
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in {"href", "src"} or tag == "script":
                self.loaded.append(value or tag)


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_open_html_that_loads_nothing_from_elsewhere(
    gateway: GatewayHarness, name: str
) -> None:
    response = await gateway.http.get(f"/docs/{name}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].startswith("default-src 'none';")
    shown = Page(response.text)
    for path in shown.loaded:  # its screenshots alone
        image = await gateway.http.get(path)
        assert (image.status_code, image.headers["content-type"]) == (200, "image/webp"), path
    assert len(shown.ids) == len(set(shown.ids))
    anchors = [link.removeprefix("#") for link in shown.links if link.startswith("#")]
    assert set(anchors) <= set(shown.ids)
    assert len(anchors) >= 2  # the table of contents


async def test_the_index_links_every_page(gateway: GatewayHarness) -> None:
    shown = Page((await gateway.http.get("/docs")).text)
    assert sorted(set(shown.links) - {"/docs"}) == [f"/docs/{name}" for name in PAGES]


async def test_the_policy_allows_the_stylesheet_that_the_page_has(gateway: GatewayHarness) -> None:
    response = await gateway.http.get("/docs")
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["none", "index", "..", "%2e%2e%2fsettings", "style.css", "%00"])
async def test_another_name_is_the_usual_404(gateway: GatewayHarness, name: str) -> None:
    response = await gateway.http.get(f"/docs/{name}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


async def test_head_and_get_are_the_only_methods(gateway: GatewayHarness) -> None:
    assert (await gateway.http.head("/docs")).status_code == 200
    assert (await gateway.http.post("/docs")).status_code == 405


def test_the_renderer_is_not_imported_at_start() -> None:
    code = "import sys, gateway.web.routes; sys.exit('markdown_it' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
