"""Connections to judged addresses, kept open for the next request of the same host.

httpcore's own pool looks at all of its connections, for each of them, at every request: with some
hundred receivers that is most of what a delivery costs. Here one look finds the next one.
"""

import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

import httpcore

from gateway.loops.answer_limit import AnswerSize, LimitedStream

KEEPALIVE: Final = 5.0
"""Seconds that a connection waits for its next request."""
MOST_IDLE: Final = 256
"""Connections that wait; more are closed when their request is over."""

Key = tuple[bytes, bytes, int]
"""Scheme, host and port."""


class JudgedOrigin(httpcore.Origin):
    """Scheme, host and port, and where the host is just now."""

    def __init__(self, origin: httpcore.Origin, addresses: tuple[str, ...]) -> None:
        super().__init__(origin.scheme, origin.host, origin.port)
        self.addresses: Final = addresses

    @property
    def key(self) -> Key:
        """What connections are kept under."""
        return (self.scheme, self.host, self.port)


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects one connection: to the first of its addresses that answers, whatever the host's
    name resolves to by then."""

    def __init__(self, addresses: tuple[str, ...], inner: httpcore.AsyncNetworkBackend) -> None:
        self._addresses = addresses
        self._inner = inner
        self._connected: str | None = None
        self.answer: Final = AnswerSize()

    def may_serve(self, addresses: tuple[str, ...]) -> bool:
        """Whether what goes to a host at these addresses may go over this connection."""
        if self._connected is None:
            return addresses == self._addresses
        return self._connected in addresses

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name; where it is was judged
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The stream; the error of the last address if none of them answers."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._addresses:
            try:
                stream = await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self._connected = address
                return LimitedStream(stream, self.answer)
        raise failure or httpcore.ConnectError("The host has no address")


class PinnedConnection(httpcore.AsyncHTTPConnection):
    """Serves its own host alone, and only while that host is still where it is connected to."""

    def __init__(
        self,
        origin: JudgedOrigin,
        ssl_context: ssl.SSLContext,
        backend: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._pin = _PinnedBackend(origin.addresses, backend)
        self.key: Final = origin.key
        self.is_reused = False
        """It has served a request before."""
        super().__init__(
            origin,
            ssl_context=ssl_context,
            keepalive_expiry=KEEPALIVE,
            network_backend=self._pin,
        )

    @property
    def has_died_idle(self) -> bool:
        """Whether a request that failed on it may be sent again on another: it was closed while it
        waited, and nothing of an answer has come."""
        return self.is_reused and self._pin.answer.bytes == 0

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return (
            super().can_handle_request(origin)
            and isinstance(origin, JudgedOrigin)
            and self._pin.may_serve(origin.addresses)
        )


class Connections:
    """Each serves one request at a time: who takes one has it alone until it is given back."""

    def __init__(
        self, ssl_context: ssl.SSLContext, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ssl_context = ssl_context
        self._backend = httpcore.AnyIOBackend()
        self._monotonic = monotonic
        self._idle: defaultdict[Key, list[PinnedConnection]] = defaultdict(list)
        self._count = 0
        self._swept_at = monotonic()

    async def take(self, origin: JudgedOrigin) -> PinnedConnection:
        """The one that was used last, if it is still open and where its host is; or a new one."""
        idle = self._idle[origin.key]
        while idle:
            connection = idle.pop()
            self._count -= 1
            if connection.can_handle_request(origin) and _is_open(connection):
                connection.is_reused = True
                return connection
            await connection.aclose()
        return self.new(origin)

    def new(self, origin: JudgedOrigin) -> PinnedConnection:
        """One that has served nothing yet."""
        return PinnedConnection(origin, self._ssl_context, self._backend)

    async def give_back(self, connection: PinnedConnection) -> None:
        """It is kept if it can serve again."""
        if connection.is_idle() and self._count < MOST_IDLE:
            self._idle[connection.key].append(connection)
            self._count += 1
        else:
            await connection.aclose()
        if self._monotonic() - self._swept_at > KEEPALIVE:
            await self._sweep()

    async def aclose(self) -> None:
        """Closes those that wait."""
        kept, self._idle, self._count = self._idle, defaultdict(list), 0
        for connections in kept.values():
            for connection in connections:
                await connection.aclose()

    async def _sweep(self) -> None:
        self._swept_at = self._monotonic()
        kept, self._idle, self._count = self._idle, defaultdict(list), 0
        gone = []
        for key, connections in kept.items():
            for connection in connections:
                if _is_open(connection):
                    self._idle[key].append(connection)
                    self._count += 1
                else:
                    gone.append(connection)
        for connection in gone:
            await connection.aclose()


def _is_open(connection: PinnedConnection) -> bool:
    return connection.is_available() and not connection.has_expired()
