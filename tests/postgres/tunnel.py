"""Between a gateway and its PostgreSQL server: a network that loses, holds back and breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import Final
from urllib.parse import urlsplit, urlunsplit

CHUNK: Final = 65_536
COMMIT: Final = b"COMMIT\0"
"""The statement of a client, and the tag in the answer of the server."""


class Loss(Enum):
    """The fate of a COMMIT, and of the connection that it was sent on."""

    UNSENT = auto()
    """The server never gets it, and both lose the connection."""
    UNNOTICED = auto()
    """The server never gets it, and waits on for its client."""
    UNANSWERED = auto()
    """The server commits; its answer is lost."""
    HELD = auto()
    """Nothing goes through any more, on any connection, and nobody is told."""


class _Link:
    """One connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server

    def cut(self, *, is_noticed: bool = True) -> None:
        self.client.transport.abort()
        if is_noticed:
            self.server.transport.abort()


class Tunnel:
    """Forwards to the server until it is told otherwise."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self.url = ""
        self.losses: list[Loss | None] = []
        """Of the next COMMITs; None: it goes through."""
        self.rewritten: tuple[bytes, bytes] = (b"", b"")
        """Words of the server, and others of the same length in their place."""
        self.accepted = 0
        """Connections so far."""
        self._is_flowing = asyncio.Event()
        self._is_flowing.set()
        self._links: set[_Link] = set()

    def freeze(self) -> None:
        """Takes what is sent, and forwards nothing; nobody is told."""
        self._is_flowing.clear()

    def thaw(self) -> None:
        """Goes on."""
        self._is_flowing.set()

    def cut(self) -> None:
        """Breaks all connections."""
        for link in tuple(self._links):
            link.cut()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Tunnel"]:
        """Listens as long as the context is open."""
        async with asyncio.TaskGroup() as group:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                self.accepted += 1
                group.create_task(self._serve(reader, writer))

            listener = await asyncio.start_server(accept, "127.0.0.1", 0)
            port = listener.sockets[0].getsockname()[1]
            place = f"{self._server.username}@127.0.0.1:{port}"
            self.url = urlunsplit(self._server._replace(netloc=place))
            try:
                yield self
            finally:
                listener.close()
                self.thaw()
                self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, server = await asyncio.open_connection(self._server.hostname, self._server.port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server)
        self._links.add(link)
        try:
            await asyncio.gather(self._send(reader, link), self._answer(back, link))
        finally:
            self._links.discard(link)
            link.cut()

    async def _send(self, client: asyncio.StreamReader, link: _Link) -> None:
        with suppress(ConnectionError):
            while chunk := await client.read(CHUNK):
                await self._is_flowing.wait()
                if COMMIT in chunk and self.losses[:1] not in ([], [None], [Loss.UNANSWERED]):
                    loss = self.losses.pop(0)
                    if loss is not Loss.HELD:
                        link.cut(is_noticed=loss is Loss.UNSENT)
                        return
                    self.freeze()
                    await self._is_flowing.wait()
                link.server.write(chunk)
        link.server.close()

    async def _answer(self, server: asyncio.StreamReader, link: _Link) -> None:
        with suppress(ConnectionError):
            while chunk := await server.read(CHUNK):
                await self._is_flowing.wait()
                if COMMIT in chunk and self.losses and self.losses.pop(0) is Loss.UNANSWERED:
                    link.cut()
                    return
                link.client.write(chunk.replace(*self.rewritten))
        link.client.close()
