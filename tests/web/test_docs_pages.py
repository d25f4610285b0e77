"""`/docs`: the pages as the gateway serves them."""

import base64
import hashlib
import json
import re
import shlex
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from gateway.web.openapi.examples import example_of
from gateway.web.openapi.reference import curl
from tests.web.callers import GatewayHarness
from tests.web.contract import DOCUMENT

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


async def test_a_page_is_open_html_that_loads_nothing_from_elsewhere(
    gateway: GatewayHarness,
) -> None:
    for name in PAGES:
        response = await gateway.http.get(f"/docs/{name}")
        assert response.status_code == 200, name
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"].startswith("default-src 'none';")
        shown = Page(response.text)
        for path in shown.loaded:  # its screenshots alone
            image = await gateway.http.get(path)
            assert (image.status_code, image.headers["content-type"]) == (200, "image/webp"), path
        assert len(shown.ids) == len(set(shown.ids)), name
        anchors = [link.removeprefix("#") for link in shown.links if link.startswith("#")]
        assert set(anchors) <= set(shown.ids), name
        assert len(anchors) >= 2, name  # the table of contents


async def test_the_index_links_every_page(gateway: GatewayHarness) -> None:
    shown = Page((await gateway.http.get("/docs")).text)
    others = {"/docs", "/docs/api"}
    assert others <= set(shown.links)
    assert sorted(set(shown.links) - others) == [f"/docs/{name}" for name in PAGES]


async def test_the_reference_has_every_operation_webhook_and_message(
    gateway: GatewayHarness,
) -> None:
    response = await gateway.http.get("/docs/api")
    assert response.status_code == 200
    text = response.text
    shown = Page(text)
    assert shown.loaded == []
    assert len(shown.ids) == len(set(shown.ids))
    anchors = {link.removeprefix("#") for link in shown.links if link.startswith("#")}
    assert anchors <= set(shown.ids)
    paths = [*DOCUMENT["paths"].items(), *DOCUMENT["webhooks"].items()]
    for path, operation in ((path, one) for path, methods in paths for one in methods.values()):
        _, _, rest = text.partition(f'<h3 id="{operation["operationId"]}">')
        section = unescape(rest.partition("</section>")[0])
        wanted = [f"<code>{path}</code>", *operation["responses"], "<pre><code>"]
        codes = [one.get("content", {}) for one in operation["responses"].values()]
        wanted += [
            code for one in codes for each in one.values() for code in each.get("examples", ())
        ]
        if path.startswith("/"):
            wanted += [f"<code>{one['name']}</code>" for one in operation["parameters"]]
            wanted.append("curl ")
        else:
            wanted = wanted[:1] + wanted[-1:]
        assert [one for one in wanted if one not in section] == [], operation["operationId"]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        _, _, rest = text.partition(f'<h3 id="{name}">')
        section = rest.partition("</section>")[0]
        fields = [f"<code>{field}</code>" for field in schema.get("properties", ())]
        assert [one for one in fields if one not in section] == [], name


def test_the_command_of_an_operation_is_one_that_a_shell_takes() -> None:
    command = curl("POST", "/v1/tasks", DOCUMENT["paths"]["/v1/tasks"]["post"])
    words = shlex.split(command)
    assert words[:3] == ["curl", "-X", "POST"]
    assert json.loads(words[-1]) == example_of(None, "NewTask")


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
