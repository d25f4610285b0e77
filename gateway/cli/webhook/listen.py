"""`slipgate webhook listen`: a receiver to look at, or the feed forwarded to an app here."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer

from gateway.cli.client import Client, open_client
from gateway.cli.output import CommandFailed, plain, screen, trouble
from gateway.cli.processes import stop_on_sigterm
from gateway.cli.state import State
from gateway.cli.webhook.fault import Fault
from gateway.cli.webhook.forward import TIME_LIMIT, Attempt, Forwarder, is_of, newest
from gateway.cli.webhook.progress import Progress
from gateway.cli.webhook.receive import receive
from gateway.cli.webhook.secret import VARIABLE, Secret, SecretFile, given_secrets
from gateway.domain.signing_secret import SECRET_BYTES

NOW: Final = "now"
SECRET_NAME: Final = "webhook-secret"  # noqa: S105 - of its file

_RECEIVER: Final = "As a receiver"
_FORWARDER: Final = "Forwarding"


def listen(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="0: any", rich_help_panel=_RECEIVER)
    ] = 4000,
    fail: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="answer so: 500, 429, 410, any status from 300, redirect, reset, hang",
            rich_help_panel=_RECEIVER,
        ),
    ] = None,
    times: Annotated[
        int | None,
        typer.Option(min=1, help="the first N times only", metavar="N", rich_help_panel=_RECEIVER),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="every Nth time only", metavar="N", rich_help_panel=_RECEIVER)
    ] = 1,
    retry_after: Annotated[
        int | None,
        typer.Option(min=0, help="seconds to ask for with --fail", rich_help_panel=_RECEIVER),
    ] = None,
    delay: Annotated[
        float, typer.Option(min=0, help="seconds before each answer", rich_help_panel=_RECEIVER)
    ] = 0,
    forward_to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="follow the feed of SLIPGATE_API_KEY and deliver it there, signed",
            rich_help_panel=_FORWARDER,
        ),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(
            help="such as task.*; else what endpoints usually get", rich_help_panel=_FORWARDER
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="N|now",
            help="begin behind this event, 0: with the oldest that is kept; "
            "else where it stopped, the first time with what comes now",
            rich_help_panel=_FORWARDER,
        ),
    ] = None,
    state: Annotated[
        Path,
        typer.Option(help="folder of the secret and of how far it came"),
    ] = Path(".slipgate"),
    secret_file: SecretFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document a line")] = False,
) -> None:
    """Receive webhooks on this machine and print each; or, with --forward-to, bring your app the
    project's events without a tunnel."""
    stop_on_sigterm()
    if forward_to is None:
        fault = (
            None
            if fail is None
            else Fault.read(fail, times=times, every=every, retry_after=retry_after)
        )
        keys = given_secrets(secret_file)
        receive(port, keys, fault=fault, delay=delay, as_json=as_json)
        return
    if fail is not None or delay:
        raise typer.BadParameter("it is the app that answers", param_hint="--fail")
    address = _address(forward_to)
    start = _start(after)
    kept = State(state)
    keys = _keys(kept, secret_file)
    with suppress(KeyboardInterrupt), open_client() as client:
        _forward(client, kept, address, keys, start=start, types=types, as_json=as_json)
    trouble.print("stopped; started again, it goes on where it was", style="dim")


def _forward(
    client: Client,
    kept: State,
    address: str,
    keys: Sequence[Secret],
    *,
    start: int | str | None,
    types: str | None,
    as_json: bool,
) -> None:
    app = httpx.Client(timeout=TIME_LIMIT, trust_env=False, follow_redirects=False)
    with Progress.held(kept.folder, client.url, address) as progress, app:
        _place(client, progress, start)
        reached = progress.reached
        behind = reached.after if reached is not None else 0
        trouble.print(f"forwarding events behind {behind} to {address}", style="dim", markup=False)

        def tell(attempt: Attempt) -> None:
            if as_json:
                typer.echo(msgspec.json.encode(attempt))
            else:
                screen.print(line(attempt), markup=False)

        keys_of = [each.key for each in keys]
        Forwarder(client, app, progress, address, keys_of, tell=tell).run(types)


def _place(client: Client, progress: Progress, start: int | str | None) -> None:
    """Where to begin: where somebody says, where it stopped, or now."""
    reached = progress.reached
    if start is not None or reached is None:
        progress.begin(
            start if isinstance(start, int) else client.patiently(lambda: newest(client))
        )
        return
    last = reached.last
    if last is not None and not client.patiently(lambda: is_of(client, last)):
        raise CommandFailed(
            f"Event {last[1]}, the last that was forwarded, is not in this feed: this is another "
            "gateway, another database, or a key of another project.",
            "Look at SLIPGATE_URL and SLIPGATE_API_KEY, or begin anew with --after now.",
        )


def line(attempt: Attempt) -> str:
    """One request to the app in one line."""
    answer = str(attempt.answered) if attempt.answered else f"no answer: {attempt.reason}"
    again = f", again in {attempt.retry_seconds} s" if attempt.retry_seconds else ""
    why = f" ({attempt.reason})" if (attempt.reason or "").startswith("redirect") else ""
    said = f"  {attempt.answer}" if attempt.reason and attempt.answer else ""
    told = f"→ {answer}{why} ({attempt.duration_ms} ms){again}{said}"
    return plain(
        f"{attempt.at[11:19]}  {attempt.id}  {attempt.type:<18}  {attempt.task_id or '-'}  {told}"
    )


def _keys(kept: State, file: Path | None) -> tuple[Secret, ...]:
    """The secrets to sign with; one of our own is made the first time, and shown that once."""
    if file is not None or os.environ.get(VARIABLE):
        return given_secrets(file)
    is_new = not (kept.folder / SECRET_NAME).exists()
    made = Secret.of(secrets.token_bytes(SECRET_BYTES))
    text = kept.kept(SECRET_NAME, lambda: made.text)
    if is_new:
        trouble.print("Put this line into the app's .env.local; it is shown this once:")
        trouble.print(f"  {VARIABLE}={text}", markup=False)
        trouble.print(f"It is kept in {kept.folder / SECRET_NAME}.", style="dim", markup=False)
    return (Secret.read(text),)


def _start(text: str | None) -> int | str | None:
    if text is None or text == NOW:
        return text
    if not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter("expected the number of an event, or now", param_hint="--after")
    return int(text)


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise typer.BadParameter(f"{exc}", param_hint="--forward-to") from exc
    if url.scheme not in {"http", "https"} or not url.host:
        wanted = "expected an address such as http://localhost:3000/api/hook"
        raise typer.BadParameter(wanted, param_hint="--forward-to")
    return text
