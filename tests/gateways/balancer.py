"""One address in front of several gateways, as a load balancer gives it."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE_BYTES = 65_536


class Balancer:
    """Each connection goes to any gateway that is in rotation."""

    def __init__(self, chance: random.Random) -> None:
        self.url = ""
        self._random = chance
        self._ports: set[int] = set()
        self._open: defaultdict[int, set[asyncio.StreamWriter]] = defaultdict(set)
        """Callers by the gateway that they are connected to."""
        self._connections: set[asyncio.Future[None]] = set()

    def add(self, port: int) -> None:
        """Takes a gateway into rotation."""
        self._ports.add(port)

    def remove(self, port: int) -> None:
        """Takes it out of rotation, and hangs up on whoever is connected to it."""
        self._ports.discard(port)
        for caller in self._open.pop(port, set()):
            caller.transport.abort()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Balancer"]:
        """Listens as long as the context is open."""
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, caller: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._serve(reader, caller))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, caller: asyncio.StreamWriter) -> None:
        try:
            # Sorted: a set of numbers has no order that a seed repeats.
            port = self._random.choice(sorted(self._ports))
            answers, gateway = await asyncio.open_connection("127.0.0.1", port)
        except (IndexError, OSError):
            caller.transport.abort()
            return
        self._open[port].add(caller)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, gateway))
                group.create_task(_pump(answers, caller))
        finally:
            self._open[port].discard(caller)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until one side hangs up; then the other one has nothing more to expect."""
    try:
        while piece := await source.read(PIECE_BYTES):
            target.write(piece)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.transport.abort()
