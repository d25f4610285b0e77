"""`/dashboard/static/{name}`: our stylesheet, script and icon."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.web.dashboard.rendering import STATIC

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS: Final = {
    # The address changes with the file.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class StaticFiles:
    """Serves the files of the package, and no others."""

    label = "dashboard"

    def __init__(self) -> None:
        self._names = frozenset(file.name for file in STATIC.iterdir())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = Request(scope).path_params["name"]
        if name not in self._names:
            raise HTTPException(404)
        file = STATIC / name
        response = Response(file.read_bytes(), media_type=_TYPES[file.suffix], headers=_HEADERS)
        await response(scope, receive, send)
