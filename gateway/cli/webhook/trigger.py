"""`slipgate trigger`: sends an app a webhook as a gateway would, without a task behind it."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import AsJson, one_line, print_document, printable
from gateway.cli.console.terminal import out, print_table
from gateway.cli.http.client import open_http
from gateway.cli.local.state import STATE, State
from gateway.cli.webhook.listen_forward import signing_secrets
from gateway.cli.webhook.secret import SecretFile
from gateway.cli.webhook.sending import (
    DEFAULT_ADDRESS,
    Answered,
    check_address,
    send,
)
from gateway.domain.kernel.ids import RANDOM_BITS
from gateway.domain.tasks.event import FACTS
from gateway.domain.tasks.event_meanings import MEANINGS
from gateway.loops.deliveries.post import TIME_LIMIT
from gateway.web.deliveries.fixtures import Fixture, fixture
from gateway.wire.message import Reply

SHOWN: Final = 2_000
"""Characters of an answer that are shown."""
FLAT_ID: Final = "task-1"
"""The TASK_ID of flat fixtures."""


class Triggered(Reply, frozen=True, kw_only=True):
    """The webhook that was sent and its answer, as `--json` prints it."""

    id: str
    type: str
    url: str
    answered: int | None
    reason: str | None
    """The reason of a failure; None: it was taken."""
    duration_ms: int
    answer: str
    body: msgspec.Raw


def trigger(
    kind: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="of the event; none: list them")
    ] = None,
    to: Annotated[str, typer.Option(metavar="URL", help="route of the app")] = DEFAULT_ADDRESS,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="such as data.task.metadata.userId=u_2; several"
        ),
    ] = None,
    flat: Annotated[
        bool, typer.Option("--flat", help="the payload of callbacks of POST /workspace")
    ] = False,
    secret_file: SecretFile = None,
    state: Annotated[Path, typer.Option(help="folder of `up`, whose secret is used")] = STATE,
    as_json: AsJson = False,
) -> None:
    """Send your app a sample webhook, signed as a gateway would; exit 1 unless it takes it.

    Example: slipgate trigger task.completed

    Example: slipgate trigger task.failed --to=http://localhost:3000/api/hook --set=data.task.id=t1
    """
    if kind is None:
        _print_types(as_json=as_json)
        return
    check_address(to, "--to")
    body = _changed(_fixture(kind, is_flat=flat), changes or ())
    keys = [each.key for each in signing_secrets(State(state), secret_file)]
    with open_http(to, timeout=TIME_LIMIT) as app:
        answered = send(app, to, keys, message_id=body.id, body=body.body, now=time.time())
    if as_json:
        print_document(_document(body, to, answered))
    elif answered.status is not None:
        out.print(one_line(f"{body.type}  {body.id}  → {answered.result}"))
        if answered.text:
            out.print(printable(answered.text[:SHOWN]), style="dim")
    if answered.reason is not None:
        raise answered.failure(body.type)


def _fixture(kind: str, *, is_flat: bool) -> Fixture:
    if kind not in FACTS:
        raise typer.BadParameter(
            f"{kind!r} is no type of events: `slipgate trigger` lists them", param_hint="TYPE"
        )
    made = _sample(kind, FLAT_ID if is_flat else None)
    if made is None:
        message = f"{kind} has no flat form: `slipgate trigger` shows which types have one"
        raise typer.BadParameter(message, param_hint="--flat")
    return made


def _sample(kind: str, flat: str | None) -> Fixture | None:
    now = time.time_ns() // 1_000_000
    return fixture(kind, now=now, random_bits=secrets.randbits(RANDOM_BITS), flat=flat)


def _changed(made: Fixture, changes: Sequence[str]) -> Fixture:
    """The fixture with the values of `--set`."""
    if not changes:
        return made
    document = msgspec.json.decode(made.body)
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise typer.BadParameter(f"{change!r} is not PATH=VALUE", param_hint="--set")
        _set(document, path.split("."), text)
    return msgspec.structs.replace(made, body=msgspec.json.encode(document))


def _set(document: dict[str, object], path: Sequence[str], text: str) -> None:
    *parents, last = path
    inner: object = document
    for name in parents:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict):
        whole = ".".join(path)
        raise typer.BadParameter(f"nothing in the webhook is at {whole}", param_hint="--set")
    inner[last] = _value(text)


def _value(text: str) -> object:
    """JSON, or else the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _document(sent: Fixture, url: str, answered: Answered) -> Triggered:
    return Triggered(
        id=sent.id,
        type=sent.type,
        url=url,
        answered=answered.status,
        reason=answered.reason,
        duration_ms=answered.duration_ms,
        answer=answered.text[:SHOWN],
        body=msgspec.Raw(sent.body),
    )


def _print_types(*, as_json: bool) -> None:
    flat = {kind for kind in FACTS if _sample(kind, FLAT_ID) is not None}
    if as_json:
        print_document([{"type": kind, "flat": kind in flat} for kind in FACTS])
        return
    rows = ((kind, "flat too" if kind in flat else "", MEANINGS[kind]) for kind in FACTS)
    print_table(("type", "form", "meaning"), rows)
