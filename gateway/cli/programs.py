"""The commands that become another program of slipgate."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, cast

import typer

from gateway.cli.console.output import TakeOver
from gateway.settings import read_settings
from gateway.wire.own_process import close_own_process


def gateway(take_over: TakeOver = False) -> None:
    """Run the gateway; its settings are SLIPGATE_* variables.

    Example: SLIPGATE_PORT=8700 slipgate gateway

    Example: slipgate gateway --take-over
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


def launcher(
    once: Annotated[bool, typer.Option("--once", help="claim one time, then exit")] = False,
    job: Annotated[str | None, typer.Option(help="claim only this job, then exit")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="only report problems of the settings, then exit")
    ] = False,
) -> None:
    """Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY.

    Example: SLIPGATE_PROVIDERS=daytona-api slipgate launcher

    Example: slipgate launcher --check
    """
    arguments = ["--once"] if once else []
    arguments += ["--check"] if check else []
    arguments += [f"--job={job}"] if job else []
    _exec("launcher", arguments)


def doctor(context: typer.Context) -> None:
    """Check the launcher's environment; --live makes a sandbox."""
    _exec("launcher.doctor", context.args)


def snapshot(context: typer.Context) -> None:
    """Build, push and check the snapshot of Daytona's sandboxes."""
    _exec("launcher.snapshots", context.args)


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


def _exec(module: str, arguments: Sequence[str]) -> None:
    """Replaces this process by a program that has credentials: this one never sees them."""
    command = [sys.executable, "-m", module, *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own program, an argument list
