"""`slipgate trigger`: sends an app a webhook as a gateway would, without a task behind it."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import (
    AsJson,
    CommandFailed,
    one_line,
    print_document,
    printable,
)
from gateway.cli.console.terminal import note, out, print_table
from gateway.cli.http.client import decode, open_client, open_http
from gateway.cli.http.errors import Rejected
from gateway.cli.local.state import STATE, State
from gateway.cli.webhook.listen_forward import signing_secrets
from gateway.cli.webhook.secret import SecretFile
from gateway.cli.webhook.sending import (
    DEFAULT_ADDRESS,
    Answered,
    check_address,
    send,
)
from gateway.domain.deliveries.type_patterns import is_own_pattern
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import RANDOM_BITS
from gateway.domain.tasks.event import FACTS
from gateway.domain.tasks.event_meanings import MEANINGS
from gateway.loops.deliveries.post import TIME_LIMIT
from gateway.web.deliveries.event_schemas import check_data
from gateway.web.deliveries.fixtures import Fixture, fixture, own_fixture
from gateway.web.deliveries.schema_samples import sample_of
from gateway.wire.message import Reply
from gateway.wire.own_events import EventTypeView

SHOWN: Final = 2_000
"""Characters of an answer that are shown."""
SHOWN_OF_PAGES: Final = 200
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

    Of a type of your own catalogue: its example, or a value made of its schema.

    Example: slipgate trigger task.completed

    Example: slipgate trigger invoice.paid --set=data.amount=7.00

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
            most = SHOWN_OF_PAGES if answered.is_page else SHOWN
            out.print(printable(answered.text[:most]), style="dim")
    if answered.reason is not None:
        raise answered.failure(body.type, to)
    if answered.is_page:
        note("a page answered, and pages take everything: is this the route of your receiver?")


def _fixture(kind: str, *, is_flat: bool) -> Fixture:
    if kind not in FACTS and (not is_own_pattern(kind) or kind.endswith("*")):
        raise _unknown(kind)
    own = kind not in FACTS and not is_flat
    made = _own(kind) if own else _sample(kind, FLAT_ID if is_flat else None)
    if made is None:
        message = f"{kind} has no flat form: `slipgate trigger` shows which types have one"
        raise typer.BadParameter(message, param_hint="--flat")
    return made


def _unknown(kind: str) -> typer.BadParameter:
    text = (
        f"{kind!r} is no type of events: `slipgate trigger` and `slipgate events types` list them"
    )
    return typer.BadParameter(text, param_hint="TYPE")


def _own(kind: str) -> Fixture:
    """The sample of a type of the catalogue."""
    with open_client() as client:
        try:
            known = decode(EventTypeView, client.get(f"/v1/event-types/{kind}"))
        except Rejected as exc:
            raise (_unknown(kind) if exc.code == "not_found" else exc) from exc
    data = known.example
    if data is None:
        data = sample_of(known.schema or {})
    encoded = msgspec.json.encode(data)
    if known.schema is not None:
        try:
            check_data(msgspec.json.encode(known.schema).decode(), encoded)
        except ApiError as exc:
            raise CommandFailed(
                f"No data was found that the schema of {kind} takes: {exc.detail}",
                f"Give it an example: `slipgate events describe {kind} --example=@paid.json`.",
            ) from exc
    return own_fixture(kind, encoded, time.time_ns() // 1_000_000)


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
    note("`slipgate events types` lists your own")
