"""`slipgate webhook listen --forward-to`: delivers a project's feed to an app on this machine."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import typer

from gateway.cli.console.output import CommandFailed, one_line
from gateway.cli.console.terminal import err, note, out
from gateway.cli.http.client import Client, open_client, open_http
from gateway.cli.http.feed import feed_end
from gateway.cli.local.state import State
from gateway.cli.operations.minting import callback_secret_here
from gateway.cli.webhook.forwarder import ForwardAttempt, Forwarder, is_same_feed
from gateway.cli.webhook.progress import Progress
from gateway.cli.webhook.secret import VARIABLE, Secret, read_secrets
from gateway.cli.webhook.sending import TIME_LIMIT, check_address
from gateway.domain.deliveries.endpoint import SECRET_BYTES
from gateway.domain.deliveries.reasons import ADVICE
from gateway.wire.signing import secret_text

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
    """Forwards until it is interrupted; the options are those of the command.

    Raises:
        BadParameter: one of them is malformed.
    """
    check_address(to, "--forward-to")
    start = _start(after)
    kept = State(state)
    keys = [each.key for each in signing_secrets(kept, secret_file)]
    with suppress(KeyboardInterrupt), open_client() as client:
        _forward(client, kept, to, keys, start=start, types=types, as_json=as_json)
    note("stopped; started again, it goes on where it was")


def _forward(
    client: Client,
    kept: State,
    address: str,
    keys: Sequence[bytes],
    *,
    start: int | str | None,
    types: str | None,
    as_json: bool,
) -> None:
    def show(attempt: ForwardAttempt) -> None:
        if as_json:
            typer.echo(msgspec.json.encode(attempt))
        else:
            out.print(_line(attempt))

    app = open_http(address, timeout=TIME_LIMIT)
    with Progress.held(kept.folder, client.url, address) as progress, app:
        _begin(client, progress, start)
        after = progress.position.after if progress.position else 0
        note(f"forwarding events behind {after} to {address}")
        Forwarder(client, app, progress, address, keys, show=show).run(types)


def _begin(client: Client, progress: Progress, start: int | str | None) -> None:
    """Begins where the option says, else where it stopped, the first time with new events."""
    position = progress.position
    if start is not None or position is None:
        after = start if isinstance(start, int) else client.retrying(lambda: feed_end(client))
        progress.begin(after)
        return
    last = position.last
    if last is not None and not client.retrying(lambda: is_same_feed(client, last)):
        raise CommandFailed(
            f"Event {last[1]}, the last that was forwarded, is not in this feed: this is another "
            "gateway, another database, or a key of another project.",
            "Check SLIPGATE_URL and SLIPGATE_API_KEY, or begin anew with --after now.",
        )


def _line(attempt: ForwardAttempt) -> str:
    answer = str(attempt.answered) if attempt.answered else f"no answer: {attempt.reason}"
    again = f", again in {attempt.retry_seconds} s" if attempt.retry_seconds else ""
    why = f" ({ADVICE[attempt.reason]})" if attempt.answered and attempt.reason in ADVICE else ""
    text = f"  {attempt.answer}" if attempt.reason and attempt.answer else ""
    result = f"→ {answer}{why} ({attempt.duration_ms} ms){again}{text}"
    subject = f"{attempt.id}  {attempt.type:<18}  {attempt.task_id or '-'}"
    return one_line(f"{attempt.at[11:19]}  {subject}  {result}")


def signing_secrets(kept: State, file: Path | None) -> tuple[Secret, ...]:
    """The secrets to sign with, if none is given: the project's callback secret if the database of
    `up` is here, so that a handler needs one secret only; else a new one, kept and shown once."""
    if file is not None or os.environ.get(VARIABLE):
        return read_secrets(file)
    callback_secret = callback_secret_here(kept)
    if callback_secret is not None:
        note("signing with the project's callback secret")
        return (Secret.read(callback_secret),)
    is_new = not (kept.folder / SECRET_NAME).exists()
    text = kept.kept(SECRET_NAME, lambda: secret_text(secrets.token_bytes(SECRET_BYTES)))
    if is_new:
        err.print("Put this line into the app's .env.local; it is shown this once:")
        err.print(f"  {VARIABLE}={text}")
        note(f"It is kept in {kept.folder / SECRET_NAME}.")
    return (Secret.read(text),)


def _start(text: str | None) -> int | str | None:
    if text is None or text == NOW:
        return text
    if not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter("expected the number of an event, or now", param_hint="--after")
    return int(text)
