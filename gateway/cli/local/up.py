"""`slipgate up`: runs a gateway and a launcher on this machine, for real use."""

import threading
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console.output import AsJson, TakeOver, print_document
from gateway.cli.console.terminal import note, out
from gateway.cli.local.dashboard_link import dashboard_link
from gateway.cli.local.env_files import EnvFiles
from gateway.cli.local.installation import DEFAULT_PORT, Installation, RunningInstallation
from gateway.cli.local.state import STATE
from gateway.cli.local.task_lines import TaskLines
from gateway.wire.keys import NewKeyView
from gateway.wire.own_process import close_own_process

Port = Annotated[
    int | None,
    typer.Option(
        envvar="SLIPGATE_PORT",
        min=1,
        max=65_535,
        help=f"port of the gateway; default: {DEFAULT_PORT}",
    ),
]
StateFolder = Annotated[Path, typer.Option(help="folder of the database and the keys")]
Providers = Annotated[
    str | None,
    typer.Option(
        envvar="SLIPGATE_PROVIDERS",
        help="providers of sandboxes, such as daytona-api,daytona-cli; default: local, this host",
    ),
]


def up(
    port: Port = None,
    state: StateFolder = STATE,
    providers: Providers = None,
    env_files: EnvFiles = None,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Run a gateway and a launcher; Ctrl-C stops them in order.

    It reads the .env.gateway and .env.launcher that `slipgate init` wrote in this folder.

    Example: slipgate up --providers=daytona-api --port=8700

    Example: slipgate up --env-file=.env.staging
    """
    close_own_process()
    installation = Installation.prepared(
        state, port=port, providers=providers, env_files=env_files, take_over=take_over
    )
    try:
        with TaskLines() as lines, installation.running() as running:
            print_running(running, as_json=as_json)
            if not as_json:
                lines.follow(running.connection)
            running.watch(threading.Event())
    except KeyboardInterrupt:
        note("stopped; `slipgate up` goes on where it was")


def print_running(running: RunningInstallation, *, as_json: bool) -> None:
    """Prints its address and, the first time, the key of the application."""
    kept, url, first = running.installation.kept, running.installation.url, running.first
    link = dashboard_link(kept, running.installation.gateway_env, url)
    if as_json:
        keys = {"tasksKey": first.key, "callbackSecret": first.callback_secret} if first else {}
        shown = {name: key for name, key in keys.items() if key is not None}
        print_document({"url": url, "state": str(kept.folder), "dashboard": link, **shown})
    else:
        out.print(f"slipgate runs at {url}, its state is in {kept.folder}")
        if first is not None:
            _print_key(url, first)
        out.print("Dashboard (this link logs in once, within ten minutes):")
        out.print(f"  {link}", soft_wrap=True)
        out.print("In another terminal, in this folder:")
        out.print("  slipgate tasks create --repo URL --prompt TEXT --watch")
        out.print("Ctrl-C stops it.", style="dim")
    kept.first_key_shown.touch()  # not before: a key that was not shown is replaced


def _print_key(url: str, first: NewKeyView) -> None:
    out.print("Three lines for the .env.local of your application, shown this once:")
    out.print(f"  SLIPGATE_URL={url}")
    out.print(f"  SLIPGATE_API_KEY={first.key}")
    if first.callback_secret:
        out.print(f"  SLIPGATE_WEBHOOK_SECRET={first.callback_secret}")
