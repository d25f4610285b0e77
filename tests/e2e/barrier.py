"""A place at which a stand-in holds whoever asks it, until the test lets them pass."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

REACH_SECONDS = 240.0


class Barrier:
    """Open unless it is shut; awaiting it is passing through."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._reached = asyncio.Event()

    def shut(self) -> None:
        """Holds every caller that comes from now on."""
        self._open.clear()
        self._reached.clear()

    def open(self) -> None:
        """Lets everyone pass."""
        self._open.set()

    async def reached(self) -> None:
        """Until somebody has come to the barrier; raises `TimeoutError`."""
        async with asyncio.timeout(REACH_SECONDS):
            await self._reached.wait()

    async def __call__(self) -> None:
        self._reached.set()
        await self._open.wait()


class HeldPost:
    """An ASGI application whose POST requests pass a barrier first."""

    def __init__(self, app: ASGIApp, barrier: Barrier) -> None:
        self._app = app
        self._barrier = barrier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            await self._barrier()
        await self._app(scope, receive, send)
