"""A stream on which one answer has a bounded number of bytes, read in small pieces."""

import ssl
from collections.abc import Callable
from typing import Any, Final

import httpcore

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read: its head and what is kept of its body are a fraction of it.
Interim answers without end are the same as a head without end."""
PIECE: Final = 16 * 1024
"""Bytes parsed in one turn of the event loop: a piece full of interim answers takes 20 ms."""


class AnswerSize:
    """Bytes that came since the last request was written."""

    def __init__(self) -> None:
        self.bytes = 0


class LimitedStream(httpcore.AsyncNetworkStream):
    """Ends an answer that is too long as one that is against the protocol."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, size: AnswerSize) -> None:
        self._inner = inner
        self._size = size

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next piece.

        Raises:
            httpcore.RemoteProtocolError: the answer is too long.
        """
        if self._size.bytes >= ANSWER_LIMIT:
            raise httpcore.RemoteProtocolError("The answer is too long")
        data = await self._inner.read(min(max_bytes, PIECE), timeout)
        self._size.bytes += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """A piece of the next request."""
        self._size.bytes = 0
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Closes it."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The same over TLS."""
        inner = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        return LimitedStream(inner, self._size)

    @property
    def get_extra_info(self) -> Callable[[str], Any]:
        """What the stream knows of itself."""
        return self._inner.get_extra_info
