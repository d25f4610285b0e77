"""Connections to judged addresses, kept open for the next request of the same host.

One look finds the next one, however many receivers there are.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Final

import httpx

from gateway.loops.egress.connection import Connection
from gateway.loops.egress.origin import JudgedOrigin, Key

KEEPALIVE: Final = 5.0
"""Seconds that a connection waits for its next request."""
MOST_IDLE: Final = 256
"""Connections that wait; more are closed when their request is over."""


class Connections:
    """Each serves one request at a time, its own host alone, and only while that host is still
    where it is connected to."""

    def __init__(
        self,
        trust: Callable[[], ssl.SSLContext],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trust = trust
        self._context: ssl.SSLContext | None = None
        self._monotonic = monotonic
        self._idle: defaultdict[Key, list[Connection]] = defaultdict(list)
        self._count = 0
        self._swept_at = monotonic()

    def take(self, origin: JudgedOrigin) -> Connection | None:
        """The one that was used last, if it is still open and where its host is."""
        idle = self._idle.get(origin.key, [])
        while idle:
            connection = idle.pop()
            self._count -= 1
            if connection.address in origin.addresses and self._is_open(connection):
                connection.is_reused = True
                return connection
            connection.close()
        return None

    async def new(self, origin: JudgedOrigin, seconds: float | None) -> Connection:
        """One that has served nothing yet, to the first of the addresses that answers; `seconds`
        is the limit for each of them, and for the handshake.

        Raises:
            httpx.ConnectError: none of them does, or TLS fails.
            httpx.ConnectTimeout: the same, too late.
        """
        connection = await _connected(origin, seconds)
        if not origin.is_tls:
            return connection
        try:
            await self._secure(connection, origin.host, seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """It is kept if it can serve again."""
        if connection.is_free and self._count < MOST_IDLE:
            connection.idle_since = self._monotonic()
            self._idle[connection.key].append(connection)
            self._count += 1
        else:
            connection.close()
        if self._monotonic() - self._swept_at > KEEPALIVE:
            self._sweep()

    def close(self) -> None:
        """Closes those that wait."""
        kept, self._idle, self._count = self._idle, defaultdict(list), 0
        for connections in kept.values():
            for connection in connections:
                connection.close()

    async def _secure(self, connection: Connection, host: str, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        if self._context is None:
            # To read all well-known authorities takes 40 ms, and more where others are named.
            self._context = await asyncio.to_thread(self._trust)
            self._context.set_alpn_protocols(["http/1.1"])
        try:
            async with asyncio.timeout(seconds):
                secured = await loop.start_tls(
                    connection.transport, connection, self._context, server_hostname=host
                )
        except TimeoutError as exc:
            raise httpx.ConnectTimeout("The handshake takes too long") from exc
        except (OSError, ValueError) as exc:
            raise httpx.ConnectError(str(exc)) from exc
        if secured is None:
            raise httpx.ConnectError("The receiver closed the connection")
        connection.transport = secured

    def _sweep(self) -> None:
        self._swept_at = self._monotonic()
        kept, self._idle, self._count = self._idle, defaultdict(list), 0
        for key, connections in kept.items():
            for connection in connections:
                if self._is_open(connection):
                    self._idle[key].append(connection)
                    self._count += 1
                else:
                    connection.close()

    def _is_open(self, connection: Connection) -> bool:
        return connection.is_free and self._monotonic() - connection.idle_since < KEEPALIVE


async def _connected(origin: JudgedOrigin, seconds: float | None) -> Connection:
    loop = asyncio.get_running_loop()
    failure: httpx.TransportError = httpx.ConnectError("The host has no address")
    for address in origin.addresses:
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    partial(Connection, origin.key, address), address, origin.port
                )
        except TimeoutError as exc:
            failure = httpx.ConnectTimeout(f"No answer within {seconds} s")
            failure.__cause__ = exc
        except OSError as exc:
            failure = httpx.ConnectError(str(exc))
            failure.__cause__ = exc
        else:
            return connection
    raise failure
