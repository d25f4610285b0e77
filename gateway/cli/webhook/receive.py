"""A receiver at work: one readable line for each request, until it is interrupted."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import typer

from gateway.cli.console.output import CommandFailed, plain
from gateway.cli.console.terminal import screen, trouble
from gateway.cli.http.replies import Answer
from gateway.cli.webhook.fault import Fault
from gateway.cli.webhook.receiver import Arrival, Desk, Receiver
from gateway.cli.webhook.secret import Secret


class _Event(Answer, frozen=True, kw_only=True):
    task_id: str | None = None


class _Endpoint(Answer, frozen=True, kw_only=True):
    id: str = ""


class _Data(Answer, frozen=True, kw_only=True):
    event: _Event = _Event()
    task_id: str = ""
    endpoint: _Endpoint = _Endpoint()


class _Body(Answer, frozen=True, kw_only=True):
    """What a line shows of a body, ours or an agent's."""

    type: str = ""
    data: _Data = _Data()

    @property
    def task_id(self) -> str:
        """The task that it is about."""
        return self.data.event.task_id or self.data.task_id

    @property
    def subject(self) -> str:
        """The task that it is about, or the endpoint."""
        return self.task_id or self.data.endpoint.id


class ReceivedLine(Answer, frozen=True, kw_only=True):
    """A request as `--json` shows it."""

    at: str
    number: int
    verified: bool
    code: str | None
    detail: str
    id: str | None
    type: str
    task_id: str
    skew_seconds: int | None
    secret: int | None
    tries: int
    duplicate: bool
    fault: bool
    answered: int | None
    body: msgspec.Raw | None
    """None: it is no JSON."""


def receive(
    port: int, secrets: Sequence[Secret], *, fault: Fault | None, delay: float, as_json: bool
) -> None:
    """Receives until Ctrl-C.

    Raises:
        CommandFailed: the port cannot be used.
    """

    def tell(arrival: Arrival) -> None:
        if as_json:
            typer.echo(msgspec.json.encode(_document(arrival)))
        else:
            screen.print(line(arrival), markup=False)

    def note(text: str) -> None:
        trouble.print(text, style="dim", markup=False)

    desk = Desk(secrets, fault=fault, clock=time.time)
    try:
        receiver = Receiver(port, desk, tell, note=note, delay=delay)
    except OSError as exc:
        raise CommandFailed(
            f"Port {port} of this machine cannot be used: {exc.strerror}.",
            "Choose another by --port; 0 takes any.",
        ) from exc
    trouble.print(f"listening at {receiver.url}", style="dim", markup=False)
    try:
        receiver.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        trouble.print("stopped", style="dim")
    finally:
        receiver.stop()


def line(arrival: Arrival) -> str:
    """One request in one line."""
    verdict, body = arrival.verdict, _read(arrival.body)
    what = body.type if verdict.verified else f"{verdict.code}: {verdict.detail} {verdict.hint}"
    notes = [
        "fault" if arrival.is_fault else "",
        f"duplicate, try {arrival.tries}" if arrival.is_duplicate else "",
        f"try {arrival.tries}" if arrival.tries > 1 and not arrival.is_duplicate else "",
        f"secret {verdict.secret}" if (verdict.secret or 1) > 1 else "",
    ]
    told = f"  ({', '.join(filter(None, notes))})" if any(notes) else ""
    answer = "no answer" if arrival.answered is None else str(arrival.answered)
    words = (_now()[11:23], verdict.id or "-", f"{what:<18}", body.subject, f"→ {answer}{told}")
    return plain("  ".join(filter(None, words)))


def _document(arrival: Arrival) -> ReceivedLine:
    verdict, body = arrival.verdict, _read(arrival.body)
    return ReceivedLine(
        at=_now(),
        number=arrival.number,
        verified=verdict.verified,
        code=verdict.code,
        detail=verdict.detail,
        id=verdict.id,
        type=body.type,
        task_id=body.task_id,
        skew_seconds=verdict.skew_seconds,
        secret=verdict.secret,
        tries=arrival.tries,
        duplicate=arrival.is_duplicate,
        fault=arrival.is_fault,
        answered=arrival.answered,
        body=_one_line(arrival.body),
    )


_NOTHING: Final = _Body()


def _read(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING


def _one_line(body: bytes) -> msgspec.Raw | None:
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(msgspec.json.format(body, indent=-1))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
