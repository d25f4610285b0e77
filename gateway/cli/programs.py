"""The commands that become another program of slipgate."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, TakeOver
from gateway.cli.local.env_files import EnvFiles, load
from gateway.cli.server_process import run_server


def gateway(take_over: TakeOver = False, env_files: EnvFiles = None) -> None:
    """Run the gateway; its settings are SLIPGATE_* variables.

    Example: SLIPGATE_PORT=8700 slipgate gateway

    Example: slipgate gateway --env-file=.env.gateway
    """
    load(env_files)
    run_server(take_over=take_over)


def launcher(
    once: Annotated[bool, typer.Option("--once", help="claim one time, then exit")] = False,
    job: Annotated[str | None, typer.Option(help="claim only this job, then exit")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="only report problems of the settings, then exit")
    ] = False,
    env_files: EnvFiles = None,
) -> None:
    """Run a launcher against SLIPGATE_URL with SLIPGATE_API_KEY.

    Example: SLIPGATE_PROVIDERS=daytona-api slipgate launcher

    Example: slipgate launcher --check --env-file=.env.launcher
    """
    load(env_files)
    _exec("launcher", _options(once=once, check=check, job=job))


def doctor(
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="make, compare and delete one sandbox per provider (this may cost a little)",
        ),
    ] = False,
    snapshot: Annotated[
        str | None, typer.Option(metavar="NAME", help="another one than tasks get, for --live")
    ] = None,
    env_files: EnvFiles = None,
    as_json: AsJson = False,
) -> None:
    """Check the launcher's environment; --live makes a sandbox.

    Example: slipgate doctor --live

    Example: slipgate doctor --env-file=.env.launcher
    """
    load(env_files)
    _exec("launcher.doctor", _options(live=live, snapshot=snapshot, json=as_json))


snapshot: Final = typer.Typer(
    no_args_is_help=True,
    help="Build, push and check what sandboxes are made of: Daytona's snapshot, docker's image.\n\n"
    "Example: slipgate snapshot build slipgate-agent-2\n\n"
    "Example: slipgate snapshot check --live",
)
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="default: DAYTONA_SNAPSHOT_NAME, or slipgate-agent-1",
        show_default=False,
    ),
]
Full = Annotated[bool, typer.Option("--full", help="the image with more languages and agents")]
Live = Annotated[bool, typer.Option("--live", help="look inside one sandbox, too")]
Cpu = Annotated[int, typer.Option(min=1, help="cores of each sandbox")]
Memory = Annotated[int, typer.Option(min=1, help="GiB of each sandbox")]
Disk = Annotated[int, typer.Option(min=1, help="GiB of each sandbox")]


@snapshot.command()
def build(
    name: Name = None,
    full: Full = False,
    live: Live = False,
    cpu: Cpu = 2,
    memory: Memory = 4,
    disk: Disk = 8,
    as_json: AsJson = False,
) -> None:
    """Have Daytona build it, by its CLI.

    Example: slipgate snapshot build

    Example: slipgate snapshot build slipgate-agent-2 --full
    """
    size = _options(cpu=cpu, memory=memory, disk=disk)
    _snapshot("build", name, [*_options(full=full, live=live, json=as_json), *size])


@snapshot.command()
def push(
    name: Name = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="IMAGE:TAG", help="this one, instead of building one"),
    ] = None,
    full: Full = False,
    live: Live = False,
    cpu: Cpu = 2,
    memory: Memory = 4,
    disk: Disk = 8,
    as_json: AsJson = False,
) -> None:
    """Build it here with docker, and push it.

    Example: slipgate snapshot push

    Example: slipgate snapshot push --image=agent:2
    """
    size = _options(cpu=cpu, memory=memory, disk=disk, image=image)
    _snapshot("push", name, [*_options(full=full, live=live, json=as_json), *size])


@snapshot.command()
def check(
    name: Name = None,
    activate: Annotated[bool, typer.Option("--activate", help="first, if it is inactive")] = False,
    full: Full = False,
    live: Live = False,
    as_json: AsJson = False,
) -> None:
    """Check that it is usable and has this release's scripts.

    Example: slipgate snapshot check --live

    Example: slipgate snapshot check --json
    """
    options = _options(activate=activate, full=full, live=live, json=as_json)
    _snapshot("check", name, options)


@snapshot.command()
def image(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="default: slipgate-agent-1", show_default=False),
    ] = None,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """Build the image of the provider docker with this host's docker, unless it is there.

    Example: slipgate snapshot image

    Example: slipgate snapshot image registry.example.com/slipgate-agent:1 --full
    """
    _snapshot("image", name, _options(full=full, json=as_json))


def _snapshot(command: str, name: str | None, options: Sequence[str]) -> None:
    _exec("launcher.snapshots", [command, *options, *(["--", name] if name else ())])


def _options(**given: str | int | bool | None) -> list[str]:
    """The options that were given, as the other program reads them."""
    return [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in given.items()
        if value is not None and value is not False
    ]


def _exec(module: str, arguments: Sequence[str]) -> None:
    """Replaces this process by a program that has credentials: this one never sees them."""
    command = [sys.executable, "-m", module, *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own program, an argument list
