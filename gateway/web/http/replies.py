"""JSON replies."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode
_JSON: Final = (b"content-type", b"application/json")


class _JSONReply(Response):
    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Sets the headers that Starlette would find out anew for every response."""
        self.raw_headers = [_JSON, (b"content-length", b"%d" % len(self.body))]
        if headers:
            self.raw_headers += [
                (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
            ]


def reply(
    message: object,
    status: int = 200,
    *,
    location: str = "",
    is_replayed: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON reply; `is_replayed`: it is the stored one of an Idempotency-Key."""
    own = dict(headers or {})
    if location:
        own["Location"] = location
    if is_replayed:
        own["Idempotent-Replayed"] = "true"
    return _JSONReply(_encode(message), status, headers=own)
