"""`slipgate webhook listen --forward-to`: delivers a project's feed to an app on this machine."""

import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import typer

from gateway.cli.console.keys import keys_pressed
from gateway.cli.console.output import CommandFailed, one_line, print_document, printable
from gateway.cli.console.terminal import err, note, out
from gateway.cli.http.client import Client, open_client, open_http
from gateway.cli.http.feed import feed_end
from gateway.cli.local.env_files import FRONTEND_FILE, is_private, read_env_file
from gateway.cli.local.state import State
from gateway.cli.operations.minting import callback_secret_here
from gateway.cli.webhook.forwarder import ForwardAttempt, Forwarder, find_message, is_same_feed
from gateway.cli.webhook.progress import Progress
from gateway.cli.webhook.secret import VARIABLE, Secret, read_secrets
from gateway.cli.webhook.sending import check_address, send
from gateway.domain.deliveries.endpoint import SECRET_BYTES
from gateway.domain.deliveries.reasons import ADVICE
from gateway.loops.deliveries.post import TIME_LIMIT
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
    view = ForwardView(as_json=as_json)
    app = open_http(address, timeout=TIME_LIMIT)
    with Progress.held(kept.folder, client.url, address) as progress, app:
        which = _begin(client, progress, start)
        note(f"forwarding events to {address}: {which}")
        forwarder = Forwarder(
            client, app, progress, address, keys, show=view.show, sleep=view.pause
        )
        view.forwarder = forwarder
        with keys_pressed({"r": view.resend, "b": view.toggle}) as is_terminal:
            if is_terminal:
                note("r sends the last one again, b shows bodies, Ctrl-C stops")
            view.forwarder.run(types)


class ForwardView:
    """The lines about requests and answers; their bodies on demand."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._with_bodies = False
        self._wake = threading.Event()
        self._is_pausing = False
        self.forwarder: Forwarder | None = None

    def pause(self, seconds: float) -> None:
        """The pause before the next attempt, which a resend ends."""
        self._wake.clear()
        self._is_pausing = True
        self._wake.wait(seconds)
        self._is_pausing = False

    def resend(self) -> None:
        """Sends the last message again; one that was not taken yet, without a further pause."""
        if self._is_pausing:
            self._wake.set()
        elif self.forwarder is not None:
            self.forwarder.resend()

    def toggle(self) -> None:
        """Shows the bodies from now on, or no longer."""
        self._with_bodies = not self._with_bodies
        note("bodies are shown" if self._with_bodies else "bodies are not shown")

    def show(self, attempt: ForwardAttempt) -> None:
        if self._as_json:
            typer.echo(msgspec.json.encode(attempt))
            return
        out.print(_line(attempt))
        last = self.forwarder.last if self.forwarder else None
        if self._with_bodies and last is not None:
            out.print(msgspec.json.format(last.body, indent=2), style="dim")
            out.print(printable(attempt.answer) or "(an empty answer)", style="dim")


def resend(to: str, event_id: str, *, state: Path, secret_file: Path | None, as_json: bool) -> None:
    """Sends one event of the feed again.

    Raises:
        CommandFailed: there is no such event, or the app did not take it.
    """
    kept = State(state)
    keys = [each.key for each in signing_secrets(kept, secret_file)]
    with open_client() as client, open_http(to, timeout=TIME_LIMIT) as app:
        message = find_message(client, event_id)
        answered = send(
            app, to, keys, message_id=message.id, body=message.body.encode(), now=time.time()
        )
    if as_json:
        shown = {"id": message.id, "type": message.type, "answered": answered.status}
        print_document({**shown, "reason": answered.reason, "durationMs": answered.duration_ms})
    else:
        out.print(one_line(f"{message.id}  {message.type}  → {answered.result}"))
    if answered.reason is not None:
        raise answered.failure(message.type, to)


def _begin(client: Client, progress: Progress, start: int | str | None) -> str:
    """Begins where the option says, else where it stopped, the first time with new events; these
    events in words."""
    position = progress.position
    if isinstance(start, int):
        progress.begin(start)
        return f"those after number {start}"
    if start is not None or position is None:
        progress.begin(client.retrying(lambda: feed_end(client)))
        return "new ones, from now on"
    last = position.last
    if last is not None and not client.retrying(lambda: is_same_feed(client, last)):
        raise CommandFailed(
            f"Event {last[1]}, the last that was forwarded, is not in this feed: this is another "
            "gateway, another database, or a key of another project.",
            "Check SLIPGATE_URL and SLIPGATE_API_KEY, or begin anew with --after now.",
        )
    return "on from where it was stopped"


def _line(attempt: ForwardAttempt) -> str:
    answer = str(attempt.answered) if attempt.answered else f"no answer: {attempt.reason}"
    again = f", again in {attempt.retry_seconds} s" if attempt.retry_seconds else ""
    why = f" ({ADVICE[attempt.reason]})" if attempt.answered and attempt.reason in ADVICE else ""
    text = f"  {attempt.answer}" if attempt.reason and attempt.answer else ""
    result = f"→ {answer}{why} ({attempt.duration_ms} ms){again}{text}"
    subject = f"{attempt.id}  {attempt.type:<18}  {attempt.task_id or '-'}"
    return one_line(f"{attempt.at[11:19]}  {subject}  {result}")


def signing_secrets(kept: State, file: Path | None) -> tuple[Secret, ...]:
    """The secrets to sign or verify with, if none is given: the project's callback secret if the
    database of `up` or the files of `init` are here, so that a handler needs one secret only; else
    a new one, kept and shown once."""
    if file is not None or os.environ.get(VARIABLE):
        return read_secrets(file)
    callback_secret = callback_secret_here(kept) or _written_by_init()
    if callback_secret:
        note("the project's callback secret is used")
        return (Secret.read(callback_secret),)
    is_new = not (kept.folder / SECRET_NAME).exists()
    text = kept.kept(SECRET_NAME, lambda: secret_text(secrets.token_bytes(SECRET_BYTES)))
    if is_new:
        err.print(
            "Put this line into the .env.local of the app, or of the sender; it is shown once:"
        )
        err.print(f"  {VARIABLE}={text}")
        note(f"It is kept in {kept.folder / SECRET_NAME}.")
    return (Secret.read(text),)


def _written_by_init() -> str:
    return read_env_file(FRONTEND_FILE).get(VARIABLE, "") if is_private(FRONTEND_FILE) else ""


def _start(text: str | None) -> int | str | None:
    if text is None or text == NOW:
        return text
    if not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter("expected the number of an event, or now", param_hint="--after")
    return int(text)
