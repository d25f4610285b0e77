"""The way out without a proxy: to the very addresses that the guard has judged, and to no other.

A name that is resolved again for the connection could answer differently the second time. The
name in the URL stays what TLS is spoken for and what connections are kept under: hosts that share
an address share nothing else.
"""

import ssl
from collections.abc import AsyncIterator, Callable

import httpx

from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.connection import Connection
from gateway.loops.egress.connections import Connections
from gateway.loops.egress.origin import JudgedOrigin, key_of
from gateway.wire.authorities import WELL_KNOWN


class PinnedTransport(httpx.AsyncBaseTransport):
    """Has the guard judge every request, also one for which a connection is open already; `trust`
    makes the context of TLS once there is need of one."""

    def __init__(
        self, guard: Guard, *, trust: Callable[[], ssl.SSLContext] = WELL_KNOWN.context
    ) -> None:
        self._guard = guard
        self._connections = Connections(trust)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it.

        Raises:
            AddressRefused: the address is not public.
            NameNotFound: the name has no address.
        """
        key = key_of(request.url)
        origin = JudgedOrigin(key=key, addresses=await self._guard.addresses(request))
        message = _head(request) + await request.aread()
        seconds = request.extensions.get("timeout", {}).get("connect")
        kept = self._connections.take(origin)
        if kept is not None:
            try:
                return await self._ask(kept, message)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                if not kept.has_died_idle:
                    raise
        return await self._ask(await self._connections.new(origin, seconds), message)

    async def aclose(self) -> None:
        """Closes the connections."""
        self._connections.close()

    async def _ask(self, connection: Connection, message: bytes) -> httpx.Response:
        try:
            status, headers = await connection.ask(message)
        except BaseException:
            connection.close()
            raise
        whole = connection.whole_body()
        if whole is None:
            body = _Body(connection, self._connections.give_back)
            return httpx.Response(status_code=status, headers=headers, stream=body)
        self._connections.give_back(connection)
        return httpx.Response(status_code=status, headers=headers, stream=httpx.ByteStream(whole))


class _Body(httpx.AsyncByteStream):
    """The body of an answer; its connection is free once it is closed."""

    def __init__(self, connection: Connection, give_back: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._give_back = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._connection.body():
            yield piece

    async def aclose(self) -> None:
        self._give_back(self._connection)


def _head(request: httpx.Request) -> bytes:
    """The request line and the headers.

    Raises:
        httpx.LocalProtocolError: a line ends inside of one of them: it would be two.
    """
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    head = b"\r\n".join((*lines, b"", b""))
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise httpx.LocalProtocolError("A header holds the end of a line, or NUL")
    return head
