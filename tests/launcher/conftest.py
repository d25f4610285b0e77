"""A stub gateway, a local provider on a fresh directory, and a context made of both."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from launcher.client import Client, open_http
from launcher.jobs.context import LauncherContext
from launcher.providers.local.provider import LocalProvider
from tests.launcher.gateway_stub import KEY, StubGateway, serving
from tests.launcher.lines import LOG

MakeLocal = Callable[..., LocalProvider]


@pytest.fixture
def gateway() -> Iterator[StubGateway]:
    with serving(StubGateway()) as gateway:
        yield gateway


@pytest.fixture
def make_local(tmp_path: Path) -> Iterator[MakeLocal]:
    """Makes providers on one state directory; their processes are killed after the test. One that
    ends on SIGTERM has as long for it as a busy machine may take."""
    state = tmp_path / "state"

    def make(program: tuple[str, ...], grace: float = 60) -> LocalProvider:
        environ = {"PATH": os.environ["PATH"], "SECRET_OF_THE_HOST": "hidden"}
        return LocalProvider(state, environ=environ, program=program, grace=grace)

    yield make
    kill_all_under(state)


@pytest.fixture
async def client(gateway: StubGateway) -> AsyncIterator[Client]:
    async with open_http(gateway.url, KEY) as http:
        yield Client(http, log=LOG, retry_seconds=15)


@pytest.fixture
def make_context(client: Client, make_local: MakeLocal) -> Callable[..., LauncherContext]:
    """A context whose local provider runs `program`."""

    def make(*program: str) -> LauncherContext:
        return LauncherContext(client=client, providers=(make_local(program),), forwarded_env={})

    return make


def kill_all_under(state: Path) -> None:
    """Kills a test's remaining processes, until none is left: one may have started another
    meanwhile."""
    while sum(_is_killed(entry, str(state).encode()) for entry in Path("/proc").iterdir()):
        pass


def _is_killed(entry: Path, state: bytes) -> bool:
    """Kills the process of this entry of /proc if it has the directory in its environment or
    arguments; true if it had."""
    if not entry.name.isdigit() or int(entry.name) == os.getpid():
        return False
    with contextlib.suppress(OSError):
        if any(state in (entry / name).read_bytes() for name in ("environ", "cmdline")):
            os.kill(int(entry.name), signal.SIGKILL)
            return True
    return False
