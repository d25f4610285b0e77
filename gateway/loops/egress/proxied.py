"""The way out through an egress proxy: the proxy connects, so the address is judged, not pinned."""

import httpx

from gateway.loops.egress.address_guard import Guard, is_tls


class _Connection:
    """The connection of a request, as httpcore traces it."""

    def __init__(self) -> None:
        self.is_new = False
        self.has_answered = False

    async def note(self, event: str, _: object) -> None:
        self.is_new |= event.startswith("connection.connect")
        self.has_answered |= event == "http11.receive_response_headers.complete"


class ProxiedTransport(httpx.AsyncBaseTransport):
    """Has the guard judge every request, and tells the proxy's faults from the receiver's."""

    def __init__(self, guard: Guard, inner: httpx.AsyncBaseTransport) -> None:
        self._guard = guard
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it.

        Raises:
            AddressRefused: the address is not public.
            NameNotFound: the name has no address.
            httpx.ProxyError: the proxy cannot be reached, or refuses us.
        """
        await self._guard.addresses(request)
        connection = _Connection()
        request.extensions = {**request.extensions, "trace": connection.note}
        try:
            return await self._inner.handle_async_request(request)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            if connection.is_new or connection.has_answered:
                raise
            # It was closed while it waited for its next request.
            return await self._inner.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            if is_tls(exc):
                raise
            # The only connection that is made from here is the one to the proxy.
            raise httpx.ProxyError("The egress proxy cannot be reached") from exc

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()
