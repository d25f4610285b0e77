"""`slipgate webhook listen --forward-to`: the project's feed, signed, to an app on this machine."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import msgspec
import typer

from gateway.cli.console.output import CommandFailed, plain
from gateway.cli.console.terminal import screen, trouble
from gateway.cli.http.client import Client, open_client
from gateway.cli.http.transport import open_http
from gateway.cli.local.state import State
from gateway.cli.operations.keys import callback_secret_of
from gateway.cli.webhook.forwarder import TIME_LIMIT, Attempt, Forwarder, is_of, newest
from gateway.cli.webhook.progress import Progress
from gateway.cli.webhook.secret import VARIABLE, Secret, given_secrets
from gateway.domain.deliveries.endpoint import SECRET_BYTES

NOW: Final = "now"
SECRET_NAME: Final = "webhook-secret"  # noqa: S105 - of its file


def forward(
    to: str,
    *,
    after: str | None,
    types: str | None,
    state: Path,
    secret_file: Path | None,
    as_json: bool,
) -> None:
    """Until it is interrupted; the options are those of the command.

    Raises:
        BadParameter: one of them is not what it has to be.
    """
    address = _address(to)
    start = _start(after)
    kept = State(state)
    keys = signing_secrets(kept, secret_file)
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
    app = open_http(address, timeout=TIME_LIMIT)
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


def signing_secrets(kept: State, file: Path | None) -> tuple[Secret, ...]:
    """The secrets to sign with. Beside the installation of `up` that is the project's own callback
    secret: a handler then has one secret for callbacks and for what is forwarded. Elsewhere one of
    our own is made the first time, and shown that once."""
    if file is not None or os.environ.get(VARIABLE):
        return given_secrets(file)
    beside = {"SLIPGATE_DATABASE_URL": kept.database_url}
    own = callback_secret_of(beside, os.environ.get("SLIPGATE_API_KEY", ""))
    if own is not None:
        trouble.print("signing with the project's callback secret", style="dim")
        return (Secret.read(own),)
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
