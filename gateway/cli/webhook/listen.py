"""`slipgate webhook listen` as a receiver: prints a line for each request until Ctrl-C."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec
import typer

from gateway.cli.console.output import CommandFailed, one_line
from gateway.cli.console.terminal import note, out
from gateway.cli.webhook.receiver import Arrival, Fault, Inbox, Receiver
from gateway.cli.webhook.secret import Secret
from gateway.wire.message import Reply
from gateway.wire.times import rfc3339


class _Event(Reply, frozen=True, kw_only=True):
    task_id: str | None = None


class _Endpoint(Reply, frozen=True, kw_only=True):
    id: str = ""


class _Data(Reply, frozen=True, kw_only=True):
    event: _Event = _Event()
    task_id: str = ""
    endpoint: _Endpoint = _Endpoint()


class _Body(Reply, frozen=True, kw_only=True):
    """The fields of a body, ours or an agent's, that a line shows."""

    type: str = ""
    data: _Data = _Data()

    @property
    def task_id(self) -> str:
        return self.data.event.task_id or self.data.task_id


def receive(
    port: int, secrets: Sequence[Secret], *, fault: Fault | None, delay: float, as_json: bool
) -> None:
    """Receives until Ctrl-C.

    Raises:
        CommandFailed: the port cannot be used.
    """

    def show(arrival: Arrival) -> None:
        if as_json:
            typer.echo(msgspec.json.encode(_document(arrival)))
        else:
            out.print(_line(arrival))

    inbox = Inbox(secrets, fault=fault, clock=time.time)
    try:
        receiver = Receiver(port, inbox, show, note=note, delay=delay)
    except OSError as exc:
        raise CommandFailed(
            f"Port {port} of this machine cannot be used: {exc.strerror}.",
            "Choose another by --port; 0 takes any.",
        ) from exc
    note(f"listening at {receiver.url}")
    try:
        receiver.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        note("stopped")
    finally:
        receiver.stop()


def _line(arrival: Arrival) -> str:
    found, body = arrival.verification, _read(arrival.body)
    what = body.type if found.verified else f"{found.code}: {found.detail} {found.hint}"
    subject = body.task_id or body.data.endpoint.id
    remarks = [
        "fault" if arrival.is_fault else "",
        f"duplicate, try {arrival.tries}" if arrival.is_duplicate else "",
        f"try {arrival.tries}" if arrival.tries > 1 and not arrival.is_duplicate else "",
        f"secret {found.secret}" if (found.secret or 1) > 1 else "",
    ]
    listed = f"  ({', '.join(filter(None, remarks))})" if any(remarks) else ""
    answer = "no answer" if arrival.answered is None else str(arrival.answered)
    words = (_now()[11:23], found.id or "-", f"{what:<18}", subject, f"→ {answer}{listed}")
    return one_line("  ".join(filter(None, words)))


def _document(arrival: Arrival) -> dict[str, object]:
    """The JSON of a request; a body that is not JSON is null."""
    found, body = arrival.verification, _read(arrival.body)
    return {
        "at": _now(),
        "number": arrival.number,
        "verified": found.verified,
        "code": found.code,
        "detail": found.detail,
        "id": found.id,
        "type": body.type,
        "taskId": body.task_id,
        "skewSeconds": found.skew_seconds,
        "secret": found.secret,
        "tries": arrival.tries,
        "duplicate": arrival.is_duplicate,
        "fault": arrival.is_fault,
        "answered": arrival.answered,
        "body": _json_line(arrival.body),
    }


_EMPTY: Final = _Body()


def _read(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _EMPTY


def _json_line(body: bytes) -> msgspec.Raw | None:
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(msgspec.json.format(body, indent=-1))


def _now() -> str:
    return rfc3339(time.time_ns() // 1_000_000)
