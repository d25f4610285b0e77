"""One HTTP/1.1 connection to a receiver, which has one request under way at a time.

httpcore parses in Python, and waits through a library for several event loops: for a receiver that
is new that took a third of all that a task and its delivery cost.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, cast

import httptools
import httpx

from gateway.loops.egress.origin import Key

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read: its head and what is kept of its body are a fraction of it.
Interim answers without end are the same as a head without end."""


class Connection(asyncio.Protocol):
    """A connection, open since `connection_made`. It serves one request at a time."""

    def __init__(self, key: Key, address: str) -> None:
        self.key: Final = key
        self.address: Final = address
        """The address of its host when it was opened."""
        self.is_reused = False
        """It has served a request before."""
        self.idle_since = 0.0
        """Monotonic seconds."""
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._failure: httpx.TransportError | None = None
        """Why nothing more comes over it."""
        self._waiting: asyncio.Future[None] | None = None
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._is_whole = True
        """No answer is under way."""
        self._bytes = 0
        """Of the answer, so far."""

    @property
    def has_died_idle(self) -> bool:
        """A request that failed on it may be sent again on another: it was closed while it
        waited, and nothing of an answer has come."""
        return self.is_reused and self._bytes == 0

    @property
    def is_free(self) -> bool:
        """It can take a request: its answer, if it had one to give, has come whole."""
        return self._failure is None and not self.transport.is_closing() and self._is_whole

    async def ask(self, request: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and headers of the answer.

        Raises:
            httpx.ReadError: the connection broke.
            httpx.RemoteProtocolError: it ended, or the answer is no HTTP, or too long.
        """
        self._expect_answer()
        self.transport.write(request)
        while self._status is None:
            if self._failure is not None:
                raise self._failure
            await self._progress()
        return self._status, self._headers

    def whole_body(self) -> bytes | None:
        """The answer's body, if all of it came with the head; None: more may come."""
        return b"".join(self._pieces) if self._is_whole else None

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces of the answer's body; one that breaks off, or is too long, just ends."""
        while True:
            while self._pieces:
                yield self._pieces.pop(0)
            if self._is_whole or self._failure is not None:
                return
            await self._progress()

    def close(self) -> None:
        """Ends it at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        space = ANSWER_LIMIT - self._bytes
        self._bytes += len(data)
        try:
            if self._parser is not None:
                self._parser.feed_data(data[:space])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._fail(httpx.RemoteProtocolError(f"The answer is no HTTP/1.1: {exc}"))
        if self._bytes > ANSWER_LIMIT:
            self._fail(httpx.RemoteProtocolError("The answer is too long"))
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._fail(httpx.RemoteProtocolError("The receiver closed the connection"))
        else:
            self._fail(httpx.ReadError(str(exc)))
        self._parser = None
        self._wake()

    def on_message_begin(self) -> None:
        """Of an answer to no request nothing is believed."""
        if self._is_whole:
            raise ValueError("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of the answer, or of an interim one before it."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head has come."""
        status = self._parser.get_status_code() if self._parser is not None else 0
        if status >= 200:
            self._status = status
        else:
            self._headers = []

    def on_body(self, body: bytes) -> None:
        """A piece of it."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The end of the answer, or of an interim one."""
        if self._status is None:
            return
        self._is_whole = True
        if self._parser is not None and not self._parser.should_keep_alive():
            self._fail(httpx.RemoteProtocolError("The receiver keeps no connection"))

    def _expect_answer(self) -> None:
        self._status, self._headers, self._pieces = None, [], []
        self._is_whole, self._bytes = False, 0

    def _fail(self, failure: httpx.TransportError) -> None:
        self._failure = self._failure or failure
        self.transport.abort()

    async def _progress(self) -> None:
        """Until more has come, or nothing more can come."""
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
