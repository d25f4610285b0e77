"""The process of a gateway, from the first import to the server."""

import gc
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import cast

from gateway.settings import read_settings
from gateway.wire.own_process import close_own_process


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
        settings = beside.submit(read_settings, os.environ)
        with _without("rich", "pygments"):
            # The server's imports would cost every other command half a second.
            from gateway.server import serve  # noqa: PLC0415

    close_own_process()
    serve(settings.result(), take_over=take_over)


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
