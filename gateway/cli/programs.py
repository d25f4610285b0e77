"""The commands that become another program of slipgate."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli.console.output import TakeOver
from gateway.cli.server_process import run_server


def gateway(take_over: TakeOver = False) -> None:
    """Run the gateway; its settings are SLIPGATE_* variables.

    Example: SLIPGATE_PORT=8700 slipgate gateway

    Example: slipgate gateway --take-over
    """
    run_server(take_over=take_over)


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


def _exec(module: str, arguments: Sequence[str]) -> None:
    """Replaces this process by a program that has credentials: this one never sees them."""
    command = [sys.executable, "-m", module, *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own program, an argument list
