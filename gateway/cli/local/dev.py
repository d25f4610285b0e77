"""`slipgate dev`: `up`, unless a gateway runs, and the project's events forwarded to an app."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from gateway.cli.console.output import CommandFailed
from gateway.cli.console.terminal import note
from gateway.cli.http.connection import LOOPBACK, find_connection
from gateway.cli.http.options import Chosen, chosen
from gateway.cli.local.env_files import EnvFiles
from gateway.cli.local.installation import Installation, RunningInstallation, is_answering
from gateway.cli.local.processes import stop_on_signals
from gateway.cli.local.state import STATE
from gateway.cli.local.up import Port, Providers, StateFolder, print_running
from gateway.cli.webhook.commands import After, JsonLines, Types
from gateway.cli.webhook.listen_forward import forward, resend
from gateway.cli.webhook.secret import SecretFile
from gateway.cli.webhook.sending import DEFAULT_ADDRESS, check_address


def dev(
    to: Annotated[
        str, typer.Option("--forward", metavar="URL", help="route of the app")
    ] = DEFAULT_ADDRESS,
    resend_id: Annotated[
        str | None,
        typer.Option("--resend", metavar="ID", help="send this event again; last: the newest"),
    ] = None,
    port: Port = None,
    state: StateFolder = STATE,
    providers: Providers = None,
    env_files: EnvFiles = None,
    types: Types = None,
    after: After = None,
    secret_file: SecretFile = None,
    as_json: JsonLines = False,
) -> None:
    """Run everything that an app under development needs, and forward its events.

    Example: slipgate dev --forward=http://localhost:3000/api/hook

    Example: slipgate dev --resend=last
    """
    check_address(to, "--forward")
    if resend_id is not None:
        resend(to, resend_id, state=state, secret_file=secret_file, as_json=as_json)
        return
    stop_on_signals()
    with ExitStack() as stack:
        if not _is_running():
            running = _start(stack, state, port, providers, env_files)
            if not as_json:
                print_running(running, as_json=False)
            stack.enter_context(running.watched())
        forward(to, after=after, types=types, state=state, secret_file=secret_file, as_json=as_json)


def _start(
    stack: ExitStack,
    state: Path,
    port: int | None,
    providers: str | None,
    env_files: list[Path] | None,
) -> RunningInstallation:
    """Starts an installation, which is the gateway of this command from now on."""
    note("no gateway runs here: this starts one, as `slipgate up` does")
    installation = Installation.prepared(state, port=port, providers=providers, env_files=env_files)
    running = stack.enter_context(installation.running())
    chosen.set(Chosen(url=running.connection.url, key=running.connection.key))
    return running


def _is_running() -> bool:
    """True if the gateway of this command answers.

    Raises:
        CommandFailed: it is elsewhere, and does not.
    """
    try:
        connection = find_connection(chosen.get(), os.environ)
    except CommandFailed:
        return False
    if is_answering(connection.url):
        return True
    if urlsplit(connection.url).hostname in LOOPBACK:
        return False
    raise CommandFailed(
        f"Nobody answers at {connection.url}.",
        f"Correct {connection.url_from}; without it this starts a gateway here.",
    )
