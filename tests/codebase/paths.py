"""Product files entered by one POST of a task, and by one delivery beyond it."""

import asyncio
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

import httpx
from structlog.testing import capture_logs

from tests.codebase.sizes import PRODUCT, ROOT
from tests.e2e.wait import until
from tests.stores import FileDatabase
from tests.web.callers import GatewayHarness, open_gateway

FOLDERS: Final = tuple(f"{ROOT / part}/" for part in PRODUCT)
DELIVERED: Final = "SELECT COUNT(*) FROM deliveries WHERE status = 'delivered'"

QUIET_SECONDS: Final = 0.1


class Trace:
    """Records the code that is called, in this thread and those started after `installed`."""

    def __init__(self) -> None:
        self._codes: set[CodeType] | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Profiles this thread and those that begin meanwhile."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    @contextmanager
    def recorded(self) -> Iterator[set[str]]:
        """Product files whose functions are called in this block, complete at its end."""
        files = set[str]()
        self._codes = codes = set[CodeType]()
        yield files
        self._codes = None
        called = (code.co_filename for code in codes if code.co_name != "<module>")
        files.update(name for name in called if name.startswith(FOLDERS))

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        codes = self._codes
        if event == "call" and codes is not None:
            codes.add(frame.f_code)


def path_lines() -> Iterator[str]:
    """The two figures, as text."""
    trace = Trace()
    with tempfile.TemporaryDirectory() as folder, trace.installed(), capture_logs():
        post, delivery = asyncio.run(_trace(FileDatabase(Path(folder) / "slipgate.db"), trace))
    yield f"paths      POST /v1/tasks enters {len(post)} files, a delivery {len(delivery)} more"


async def _trace(database: FileDatabase, trace: Trace) -> tuple[set[str], set[str]]:
    """Files of a second POST, since the first one fills caches, and of a delivery beyond it."""
    receiver = httpx.MockTransport(lambda _: httpx.Response(204, stream=httpx.ByteStream(b"")))
    async with open_gateway(database, receivers=receiver) as gateway:
        await gateway.create()
        await _until_quiet(trace)
        with trace.recorded() as post:
            await gateway.create()
        await _open_endpoint(gateway)
        await _until_quiet(trace)
        with trace.recorded() as delivery:
            await gateway.create()
            await until(lambda: _is_delivered(database.path), "the delivery")
    return post, delivery - post


async def _until_quiet(trace: Trace) -> None:
    """Waits until the background loops have taken the steps that they take without a request."""
    files = {""}
    while files:
        with trace.recorded() as files:
            await asyncio.sleep(QUIET_SECONDS)


async def _open_endpoint(gateway: GatewayHarness) -> None:
    wanted = {"url": "https://app.example/hook", "eventTypes": ["task.created"]}
    response = await gateway.post("/v1/endpoints", wanted, "ops")
    assert response.status_code == 201, response.text


def _is_delivered(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return bool(database.execute(DELIVERED).fetchone() == (1,))
