"""Serves an app on a free port of this machine, inside the running loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"


class _Server(uvicorn.Server):
    """Signals when it listens, and leaves signal handling to its process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: ASGIApp, *, port: int = 0, has_websockets: bool = False
) -> AsyncIterator[str]:
    """Serves the app and yields its address, `http://127.0.0.1:<port>`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio" if has_websockets else "none",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with socket.create_server((HOST, port)) as listener:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            await server.listening.wait()
            try:
                yield f"http://{HOST}:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
