"""A browser without a screen: it keeps cookies, follows redirects, and sends the forms of pages."""

import re
from html import unescape
from typing import Final

import httpx

from tests.web.callers import PUBLIC_URL, GatewayHarness

_FORM: Final = re.compile(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')


class Browser:
    """Somebody who looks at the pages of one gateway."""

    def __init__(self, gateway: GatewayHarness, http: httpx.AsyncClient) -> None:
        self._gateway = gateway
        self.http = http

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def page(self, path: str) -> str:
        """A page that is shown."""
        response = await self.http.get(path)
        assert response.status_code == 200, response.text
        return response.text

    async def log_in(self, scope: str = "ops") -> httpx.Response:
        key = self._gateway.bearer(scope)["authorization"].removeprefix("Bearer ")
        return await self.http.post("/dashboard/login", data={"key": key})

    async def send(self, page: str, action: str, /, **fields: str) -> httpx.Response:
        """Sends the form of a page that leads to this action, with what is hidden in it."""
        for found, content in _FORM.findall(page):
            if unescape(found) == action:
                hidden = {name: unescape(text) for name, text in _HIDDEN.findall(content)}
                return await self.http.post(action, data=hidden | fields)
        raise AssertionError(f"no form leads to {action}")


def browser_of(gateway: GatewayHarness) -> Browser:
    transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
    http = httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, follow_redirects=True)
    return Browser(gateway, http)
