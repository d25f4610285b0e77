"""The process of a gateway, from the first import to the server."""

import gc
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import cast

from gateway.domain.operations.status import Danger
from gateway.hosting import dangers_of
from gateway.settings import Settings, read_settings
from gateway.wire.own_process import close_own_process
from gateway.wire.secret_files import make_master_key


def run_server(*, take_over: bool = False) -> None:
    """Serves until a signal.

    Raises:
        SettingsError: with all problems of the settings.
        ApiError: the server cannot begin.
    """
    gc.disable()  # until the server configures it: collecting during the imports costs a tenth
    with ThreadPoolExecutor(1) as beside:
        # To read a file of 144 private authorities takes 40 to 75 ms of the processor (none: 1 ms),
        # in which OpenSSL holds no lock of Python's: the main thread imports on a second core.
        found = beside.submit(_read_environment)
        with _without("rich", "pygments"):
            # The server's imports would cost every other command half a second.
            from gateway.server import serve  # noqa: PLC0415

    close_own_process()
    settings, dangers = found.result()
    serve(settings, take_over=take_over, dangers=dangers, environ=os.environ)


def _read_environment() -> tuple[Settings, list[Danger]]:
    make_master_key(os.environ)
    settings = read_settings(os.environ)
    return settings, [*dangers_of(settings, os.environ, Path("/"))]


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Hides packages from the imports inside of it. structlog and httpx import rich for tracebacks
    and a command that no gateway shows: a sixth of its start."""
    hidden = {name: cast("ModuleType", None) for name in packages if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
