"""The way out without a proxy: to the very addresses that the guard has judged, and to no other.

A name that is resolved again for the connection could answer differently the second time. The
name in the URL stays what TLS is spoken for and what connections are kept under: hosts that share
an address share nothing else.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import httpcore
import httpx

from gateway.loops.connections import Connections, JudgedOrigin, PinnedConnection
from gateway.loops.guard import Guard

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

    def __init__(self, guard: Guard, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._connections = Connections(ssl_context or httpx.create_ssl_context())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it.

        Raises:
            AddressRefused: the address is not public.
            NameNotFound: the name has no address.
        """
        if request.url.scheme not in {"http", "https"} or not request.url.raw_host:
            raise httpx.UnsupportedProtocol("Only http and https are spoken, to a host")
        url = _JudgedURL(request.url, await self._guard.addresses(request))
        asked = httpcore.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=_chunks(request),
            extensions=request.extensions,
        )
        connection = await self._connections.take(url.judged)
        try:
            answer = await _asked(connection, asked)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            if not connection.has_died_idle:
                raise
            connection = self._connections.new(url.judged)
            answer = await _asked(connection, asked)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Answer(answer, partial(self._connections.give_back, connection)),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._connections.aclose()


class _JudgedURL(httpcore.URL):
    """An address whose host was judged: a connection asks it for the origin."""

    def __init__(self, url: httpx.URL, addresses: tuple[str, ...]) -> None:
        super().__init__(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        self.judged: Final = JudgedOrigin(super().origin, addresses)

    @property
    def origin(self) -> httpcore.Origin:
        return self.judged


class _Answer(httpx.AsyncByteStream):
    """The body of an answer, with httpx's errors; its connection is free once it is closed."""

    def __init__(self, answer: httpcore.Response, free: Callable[[], Awaitable[None]]) -> None:
        self._answer = answer
        self._free = free

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for chunk in self._answer.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()
        await self._free()


async def _asked(connection: PinnedConnection, request: httpcore.Request) -> httpcore.Response:
    try:
        with _translated():
            return await connection.handle_async_request(request)
    except BaseException:
        await connection.aclose()
        raise


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
