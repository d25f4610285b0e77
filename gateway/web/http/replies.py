"""JSON out."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


class _JSONReply(Response):
    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """What Starlette finds out anew for every response is always the same here."""
        self.raw_headers = [_JSON, (b"content-length", b"%d" % len(self.body))]
        if headers:
            self.raw_headers += [
                (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
            ]


def reply(message: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON reply."""
    return _JSONReply(_encode(message), status, headers=headers)
