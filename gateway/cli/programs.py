"""The commands that become another program of slipgate."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, cast

import typer

from gateway.cli.console.output import TakeOver
from gateway.settings import read_settings
from gateway.wire.own_process import close_own_process


def gateway(take_over: TakeOver = False) -> None:
    """Run the gateway; its settings are SLIPGATE_* variables."""
    gc.disable()  # until the server says how it collects: to look at what is imported is a tenth
    with _absent("rich", "pygments"):
        # The server's imports would cost every other command half a second.
        from gateway.server import serve  # noqa: PLC0415

    close_own_process()
    serve(read_settings(os.environ), take_over=take_over)


def launcher(
    once: Annotated[bool, typer.Option("--once", help="claim one time, then exit")] = False,
    job: Annotated[str | None, typer.Option(help="claim this very job, then exit")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="only say what is wrong with the settings, then exit")
    ] = False,
) -> None:
    """Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY."""
    arguments = ["--once"] if once else []
    arguments += ["--check"] if check else []
    arguments += [f"--job={job}"] if job else []
    _hand_over("launcher", arguments)


def doctor(context: typer.Context) -> None:
    """Look for what can be wrong, with the launcher's environment; --live makes a sandbox."""
    _hand_over("launcher.doctor", context.args)


def snapshot(context: typer.Context) -> None:
    """Make and check the snapshot of Daytona's sandboxes: build, push, check."""
    _hand_over("launcher.snapshots", context.args)


@contextmanager
def _absent(*packages: str) -> Iterator[None]:
    """Imports inside of it do without these packages. structlog and httpx take rich, for
    tracebacks and a command that no gateway shows: a sixth of its start."""
    absent = {name: cast("ModuleType", None) for name in packages if name not in sys.modules}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _hand_over(module: str, arguments: Sequence[str]) -> None:
    """To a program that has credentials: this one never sees them."""
    words = [sys.executable, "-m", module, *arguments]
    os.execv(sys.executable, words)  # noqa: S606 - our own program, an argument list
