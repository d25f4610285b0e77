"""JSON out."""

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode


def reply(message: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON reply."""
    return Response(_encode(message), status, headers=headers, media_type="application/json")
