"""Server-sent events as a browser reads them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
from starlette.types import Message, Receive, Scope

from tests.web.callers import GatewayHarness, Json

PATIENCE: Final = 60
"""Seconds until a test gives up."""


class Stream:
    """One open stream: how its answer began, and its (id, event) pairs until it ends."""

    def __init__(self, sent: asyncio.Queue[Message]) -> None:
        self._sent = sent
        self.status = 0
        self.headers: dict[str, str] = {}

    async def begin(self) -> None:
        """Waits for the status and the headers."""
        start = await self._next()
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}

    async def pairs(self) -> AsyncIterator[tuple[str, Json]]:
        """Each event with its id; no event has a name."""
        more = True
        while more:
            message = await self._next()
            more = message.get("more_body", False)
            for block in message.get("body", b"").decode().split("\r\n\r\n"):
                fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
                assert "event" not in fields
                if "id" in fields:
                    yield fields["id"], msgspec.json.decode(fields["data"])

    async def _next(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            return await self._sent.get()


@asynccontextmanager
async def streamed(
    gateway: GatewayHarness, path: str, query: str = "", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    """An open stream. The client library's ASGI transport gathers a whole body, and a stream has
    no end: the application is called itself."""
    given = {"accept": "text/event-stream", **(headers or {})}
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), text.encode()) for name, text in given.items()],
    }
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    call = asyncio.create_task(_run(gateway, scope, receive, sent))
    try:
        stream = Stream(sent)
        await stream.begin()
        yield stream
    finally:
        gone.set()
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call


async def _run(
    gateway: GatewayHarness, scope: Scope, receive: Receive, sent: asyncio.Queue[Message]
) -> None:
    await gateway.app(scope, receive, sent.put)
