"""A receiver that costs the load little: it notes what came when, and says 204."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Receiver:
    """Records requests by path, in the order of their first byte (`time.perf_counter()`)."""

    port: int = 0
    origins: list[str] = field(default_factory=list)
    """One for each port it listens on."""
    keeps_bodies: bool = True
    aside: frozenset[str] = frozenset()
    """Paths that nobody waits for."""
    is_aside_hanging: bool = False
    """True if those paths never answer."""
    bodies: list[bytes] = field(default_factory=list)
    moments: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    awaited: int = 0
    """The number of arrivals at other paths that are waited for."""
    arrived: int = 0
    open: set[asyncio.WriteTransport] = field(default_factory=set)
    """Connections."""
    _enough: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def begin(self, awaited: int) -> None:
        """Forgets what came, and waits for so many."""
        self.bodies.clear()
        self.moments.clear()
        self.arrived, self.awaited = 0, awaited
        self._enough.clear()

    async def enough(self) -> None:
        """Until all that are waited for have come."""
        await self._enough.wait()

    def take(self, path: str, body: bytes, began: float) -> bool:
        """Notes a request; whether it is answered."""
        self.moments[path].append(began)
        if path in self.aside:
            return not self.is_aside_hanging
        if self.keeps_bodies:
            self.bodies.append(body)
        self.arrived += 1
        if self.arrived == self.awaited:
            self._enough.set()
        return True

    def hang_up(self) -> None:
        """Closes the connections that still wait for an answer."""
        for transport in tuple(self.open):
            transport.abort()

    def seconds(self) -> float:
        """From the first arrival that is waited for to the last one."""
        times = [each for path, at in self.moments.items() if path not in self.aside for each in at]
        return max(times) - min(times)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of this kind without saying so.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._receiver.open.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._receiver.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._received:
            self._began = time.perf_counter()
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self._received = b""
        path = head.split(b" ", 2)[1].decode()
        if self._receiver.take(path, body, self._began):
            self._transport.write(ANSWER)


@asynccontextmanager
async def listening(ports: int = 1) -> AsyncIterator[Receiver]:
    """A receiver on so many free ports of this machine."""
    receiver = Receiver()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for _ in range(ports):
            server = await loop.create_server(lambda: _Connection(receiver), "127.0.0.1", 0)
            await stack.enter_async_context(server)
            receiver.port = server.sockets[0].getsockname()[1]
            receiver.origins.append(receiver.url(""))
        try:
            yield receiver
        finally:
            # What hangs until the end would be found open by whatever test comes next.
            for transport in tuple(receiver.open):
                transport.abort()
            await asyncio.sleep(0)


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[start:].partition(b"\r\n")[0])
