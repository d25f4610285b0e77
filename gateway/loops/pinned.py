"""The way out without a proxy: to the very addresses that the guard has judged, and to no other.

A name that is resolved again for the connection could answer differently the second time. The
name in the URL stays what TLS is spoken for and what connections are kept under: hosts that share
an address share nothing else.
"""

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import httpcore
import httpx

from gateway.loops.guard import Guard

KEEPALIVE: Final = 5.0
"""Seconds that a connection waits for its next request."""

_ERRORS: Final[dict[type[Exception], type[httpx.TransportError]]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}


class PinnedTransport(httpx.AsyncBaseTransport):
    """Has the guard judge every request, also one for which a connection is open already."""

    def __init__(
        self,
        guard: Guard,
        *,
        limits: httpx.Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._pool = _Pool(
            ssl_context or httpx.create_ssl_context(), httpcore.AnyIOBackend(), limits
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it.

        Raises:
            AddressRefused: the address is not public.
            NameNotFound: the name has no address.
        """
        addresses = await self._guard.addresses(request.url)
        asked = httpcore.Request(
            method=request.method,
            url=_JudgedURL(request.url, addresses),
            headers=request.headers.raw,
            content=_chunks(request),
            extensions=request.extensions,
        )
        with _translated():
            answer = await self._pool.handle_async_request(asked)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Answer(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._pool.aclose()


class _JudgedOrigin(httpcore.Origin):
    """Scheme, host and port, and where the host is just now."""

    def __init__(self, origin: httpcore.Origin, addresses: tuple[str, ...]) -> None:
        super().__init__(origin.scheme, origin.host, origin.port)
        self.addresses: Final = addresses


class _JudgedURL(httpcore.URL):
    """An address whose host was judged: the pool asks it for the origin."""

    def __init__(self, url: httpx.URL, addresses: tuple[str, ...]) -> None:
        super().__init__(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        self._addresses = addresses

    @property
    def origin(self) -> httpcore.Origin:
        return _JudgedOrigin(super().origin, self._addresses)


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects one connection: to the first of its addresses that answers, whatever the host's
    name resolves to by then."""

    def __init__(self, addresses: tuple[str, ...], inner: httpcore.AsyncNetworkBackend) -> None:
        self._addresses = addresses
        self._inner = inner
        self._connected: str | None = None

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
                return stream
        raise failure or httpcore.ConnectError("The host has no address")


class _PinnedConnection(httpcore.AsyncHTTPConnection):
    """Serves its own host alone, and only while that host is still where it is connected to."""

    def __init__(
        self,
        origin: _JudgedOrigin,
        ssl_context: ssl.SSLContext,
        backend: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._pin = _PinnedBackend(origin.addresses, backend)
        super().__init__(
            origin,
            ssl_context=ssl_context,
            keepalive_expiry=KEEPALIVE,
            network_backend=self._pin,
        )

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return (
            super().can_handle_request(origin)
            and isinstance(origin, _JudgedOrigin)
            and self._pin.may_serve(origin.addresses)
        )


class _Pool(httpcore.AsyncConnectionPool):
    """httpcore's, whose connections are pinned."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        backend: httpcore.AsyncNetworkBackend,
        limits: httpx.Limits | None,
    ) -> None:
        limits = limits or httpx.Limits()
        super().__init__(
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=KEEPALIVE,
        )
        self._context = ssl_context
        self._backend = backend

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        if not isinstance(origin, _JudgedOrigin):
            raise TypeError("Only what was judged is connected to")
        return _PinnedConnection(origin, self._context, self._backend)


class _Answer(httpx.AsyncByteStream):
    """The body of an answer, with httpx's errors."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for chunk in self._answer.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


def _chunks(request: httpx.Request) -> httpx.AsyncByteStream:
    if not isinstance(request.stream, httpx.AsyncByteStream):
        raise TypeError("An asynchronous request has an asynchronous body")
    return request.stream


@contextmanager
def _translated() -> Iterator[None]:
    """httpcore's errors as those of httpx, which has the same by the same names."""
    try:
        yield
    except tuple(_ERRORS) as exc:
        raise _ERRORS[type(exc)](str(exc)) from exc
