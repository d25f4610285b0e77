"""`slipgate up`: runs a gateway and a launcher on this machine, for real use."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console.output import AsJson, TakeOver, print_document
from gateway.cli.console.terminal import note, out
from gateway.cli.http.connection import Connection
from gateway.cli.local.dashboard_link import dashboard_link
from gateway.cli.local.environments import (
    HOST,
    KNOWN,
    LOCAL,
    OF_PROVIDERS,
    check_own,
    gateway_environ,
    launcher_environ,
    public_url_of,
)
from gateway.cli.local.processes import (
    GATEWAY,
    LAUNCHER,
    Child,
    check_free,
    check_launcher,
    stop_on_sigterm,
    wait_until_ready,
)
from gateway.cli.local.shortcomings import shortcomings
from gateway.cli.local.state import MASTER_KEYS_VARIABLE, STATE, State
from gateway.cli.local.task_lines import TaskLines
from gateway.cli.operations.minting import mint
from gateway.settings import read_settings
from gateway.wire.keys import NewKeyView
from gateway.wire.own_process import close_own_process


def up(
    port: Annotated[
        int, typer.Option(envvar="SLIPGATE_PORT", min=1, max=65_535, help="port of the gateway")
    ] = 8700,
    state: Annotated[Path, typer.Option(help="folder of the database and the keys")] = STATE,
    providers: Annotated[
        str,
        typer.Option(
            envvar="SLIPGATE_PROVIDERS",
            help="providers of sandboxes, such as daytona-api,daytona-cli; `local` is this host",
        ),
    ] = LOCAL,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Run a gateway and a launcher; Ctrl-C stops them in order.

    Example: slipgate up --providers=daytona-api --port=8700

    Example: slipgate up --take-over
    """
    close_own_process()
    check_free(port)
    kept, own = State(state), os.environ
    check_own(own, kept)
    url = f"http://{HOST}:{port}"
    gateway_env = gateway_environ(
        own,
        kept,
        port,
        public_url=public_url_of(own, url, providers),
        secret_keys=own.get(MASTER_KEYS_VARIABLE, "").strip(),
    )
    read_settings(gateway_env)
    launcher_env = launcher_environ(own, kept, url, gateway_env, providers)
    check_launcher(launcher_env)
    for sentence in shortcomings(own, providers, KNOWN, OF_PROVIDERS):
        note(sentence)
    stop_on_sigterm()
    try:
        _run(kept, url, gateway_env, launcher_env, take_over=take_over, as_json=as_json)
    except KeyboardInterrupt:
        note("stopped; `slipgate up` goes on where it was")


def _run(
    kept: State,
    url: str,
    gateway_env: dict[str, str],
    launcher_env: dict[str, str],
    *,
    take_over: bool,
    as_json: bool,
) -> None:
    """Runs both until one ends, or until Ctrl-C; stopped in the opposite order, the launcher
    reports before the gateway goes."""
    first = _first_key(kept, gateway_env)
    with TaskLines() as lines, ExitStack() as stack:
        program = (*GATEWAY, "--take-over") if take_over else GATEWAY
        gateway = stack.enter_context(_child("gateway", program, gateway_env, kept))
        wait_until_ready(url, gateway)
        launcher = stack.enter_context(_child("launcher", LAUNCHER, launcher_env, kept))
        key = stack.enter_context(kept.connection(url, partial(_operator_key, gateway_env)))
        _print_running(kept, url, first, dashboard_link(kept, gateway_env, url), as_json)
        kept.first_key_shown.touch()  # not before: a key that was not shown is replaced
        if not as_json:
            lines.follow(Connection(url=url, key=key))
        _watch(gateway, launcher)


def _first_key(kept: State, gateway_env: dict[str, str]) -> NewKeyView | None:
    if kept.first_key_shown.exists():
        return None
    return mint(gateway_env, "tasks", "default", "up", is_first=True)


def _child(name: str, program: Sequence[str], environ: dict[str, str], kept: State) -> Child:
    """One of our programs, whose log is in the state folder."""
    return Child(name, program, environ, kept.folder / f"{name}.log")


def _operator_key(gateway_env: dict[str, str]) -> str:
    """The key of the commands in this folder: whoever can read it can read the database, too."""
    return mint(gateway_env, "ops", "default", "command line of up").key


def _print_running(
    kept: State, url: str, first: NewKeyView | None, link: str, as_json: bool
) -> None:
    if as_json:
        keys = {"tasksKey": first.key, "callbackSecret": first.callback_secret} if first else {}
        shown = {name: key for name, key in keys.items() if key is not None}
        print_document({"url": url, "state": str(kept.folder), "dashboard": link, **shown})
        return
    out.print(f"slipgate runs at {url}, its state is in {kept.folder}")
    if first is not None:
        out.print("Three lines for the .env.local of your application, shown this once:")
        out.print(f"  SLIPGATE_URL={url}")
        out.print(f"  SLIPGATE_API_KEY={first.key}")
        if first.callback_secret:
            out.print(f"  SLIPGATE_WEBHOOK_SECRET={first.callback_secret}")
    out.print("Dashboard (this link logs in once, within ten minutes):")
    out.print(f"  {link}", soft_wrap=True)
    out.print("In another terminal, in this folder:")
    out.print("  slipgate tasks create --repo URL --prompt TEXT --watch")
    out.print("Ctrl-C stops it.", style="dim")


def _watch(*children: Child) -> None:
    while True:
        for child in children:
            child.check()
        time.sleep(0.5)
