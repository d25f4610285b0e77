"""Server-sent events as the gateway sends them: `id:` and `data:` lines, and comments.

Source: WHATWG HTML, "Server-sent events"; only the fields that our feeds have are read.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?!$)")


class ServerSentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; `id` is the cursor behind it."""

    id: str
    data: bytes


class EventDecoder:
    """Events from the pieces of a response, wherever they are cut; a cut one is dropped."""

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that this piece completes."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        for line in lines:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"id":
                self._id = value.decode("utf-8", "replace")
            elif name == b"data":
                self._data.append(value)
            elif not line and self._data:
                yield ServerSentEvent(id=self._id, data=b"\n".join(self._data))
                self._data = []
