"""`/dashboard/static/{name}` and `/docs/images/{name}`: files of ours, and no others."""

from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
FOREVER: Final = "public, max-age=31536000, immutable"
"""Of files whose address changes with them."""


class StaticFiles:
    """Serves the files of one folder of the package."""

    label = "dashboard"

    def __init__(self, folder: Path, cache_control: str) -> None:
        self._files = {file.name: file for file in folder.iterdir() if file.suffix in _TYPES}
        self._headers = {**_HEADERS, "Cache-Control": cache_control}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = self._files.get(Request(scope).path_params["name"])
        if file is None:
            raise HTTPException(404)
        media_type = _TYPES[file.suffix]
        response = Response(file.read_bytes(), media_type=media_type, headers=self._headers)
        await response(scope, receive, send)
