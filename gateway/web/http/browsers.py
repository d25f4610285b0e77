"""Reads that a browser may make with a stream token: with CORS, from any origin, without cookies.

Source: the Fetch standard, § CORS protocol.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.web.http.middleware import Handler
from gateway.web.tasks.task_access import TOKEN

METHODS: Final = ("GET", "OPTIONS")
_EXPOSED: Final = (
    b"X-Request-Id, Retry-After, Slipgate-Patch-Attempt, Slipgate-Patch-Base, "
    b"Slipgate-Patch-Partial"
)
_SHARED: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED),
    (b"referrer-policy", b"no-referrer"),  # the address holds the token
]
_PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "*",  # which means all but Authorization: no key in a browser
    "Access-Control-Max-Age": "7200",
}


class BrowserHandler(Handler):
    """A read; with a token its answer, be it an error, may be looked at by any page."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return
        if TOKEN.name in Request(scope).query_params:
            scope["state"]["added_headers"] = _SHARED
        await super().__call__(scope, receive, send)
