"""`GET /openapi.json`: open without a key, and the same for everybody."""

from starlette.requests import Request
from starlette.responses import Response


async def show(request: Request) -> Response:
    """The document of this application's routes."""
    return Response(request.app.openapi, media_type="application/json")
