"""A keep-alive connection that costs the load little: HTTP/1.1 on a bare protocol."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, cast

READY_SECONDS: Final = 20.0


class Unexpected(Exception):
    """A reply that does not belong in a measurement."""


class Connection(asyncio.Protocol):
    """One request at a time; replies have a Content-Length, as our servers send it."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._reply: asyncio.Future[tuple[int, bytes]] | None = None
        self._received = b""
        self._following: Callable[[int, bytes], bool] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        # uvloop's transports are of this kind without saying so.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """A reply, or a piece of one."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head) or self._reply is None:
            return
        self._received = b""
        if self._following is not None and self._following(int(head[9:12]), body):
            return
        reply, self._reply, self._following = self._reply, None, None
        if not reply.done():
            reply.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails every caller that waits for a reply."""
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionResetError("the server closed the connection"))

    async def ask(self, request: bytes, expected: int) -> bytes:
        """The body of the reply.

        Raises:
            Unexpected: the reply has another status.
        """
        assert self._transport is not None
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        status, body = await self._reply
        if status != expected:
            raise Unexpected(f"{status} instead of {expected}: {body[:300]!r}")
        return body

    async def keep_asking(self, message: Callable[[], bytes], expected: int, end: float) -> int:
        """The number of replies until `end` (`time.perf_counter()`). The next request leaves as
        soon as a reply is there, without a way through the event loop: on two cores every
        microsecond of the load is taken from the server."""
        assert self._transport is not None
        transport = self._transport
        answered = 0

        def follow(status: int, body: bytes) -> bool:
            nonlocal answered
            if status != expected:
                return False
            answered += 1
            if time.perf_counter() >= end:
                return False
            transport.write(message())
            return True

        self._following = follow
        await self.ask(message(), expected)
        return answered

    def close(self) -> None:
        """Closes it."""
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """Opens `count` connections to a server of this machine."""
    connections = [await _connect(port) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


async def ready(port: int) -> None:
    """Until `/readyz` answers 200; raises `TimeoutError` when it does not in time."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                async with connected(port, 1) as (connection,):
                    await connection.ask(request("GET", "/readyz"), 200)
                return
            except (ConnectionError, Unexpected):
                await asyncio.sleep(0.01)


def request(
    method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    named = {"content-type": "application/json", **(headers or {})}
    lines += [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def timed(connection: Connection, message: bytes, expected: int) -> tuple[float, bytes]:
    """The time of the reply (monotonic seconds), and the reply."""
    body = await connection.ask(message, expected)
    return time.perf_counter(), body


async def _connect(port: int) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[start:].partition(b"\r\n")[0])
