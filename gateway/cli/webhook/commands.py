"""`slipgate webhook sign`, `verify` and `listen`."""

import secrets
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, one_line, print_document
from gateway.cli.console.terminal import out
from gateway.cli.local.processes import stop_on_signals
from gateway.cli.local.state import State
from gateway.cli.webhook.listen import receive
from gateway.cli.webhook.listen_forward import forward, signing_secrets
from gateway.cli.webhook.receiver import Fault
from gateway.cli.webhook.secret import STDIN, SecretFile, read_secrets
from gateway.cli.webhook.verification import SignedRequest, Verification, parse_headers
from gateway.cli.webhook.verification import verify as verify_request
from gateway.wire.signing import STANDARD, TOLERANCE_SECONDS, MalformedHeaders, SignedHeaders
from gateway.wire.signing import sign as signature

webhook: Final = typer.Typer(
    no_args_is_help=True,
    help="Sign and verify webhooks, receive them here, forward them to your app.\n\n"
    "Example: slipgate webhook listen --forward-to=http://localhost:3000/api/hook",
)

_RECEIVER: Final = "As a receiver"
_FORWARDER: Final = "Forwarding"

BodyFile = Annotated[Path, typer.Option("--body", help="file with the body; - is stdin")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0: any", rich_help_panel=_RECEIVER)]
Fail = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="answer with a failure: any status from 300, redirect, reset, hang",
        rich_help_panel=_RECEIVER,
    ),
]
Times = Annotated[
    int | None,
    typer.Option(min=1, help="fail the first N times only", metavar="N", rich_help_panel=_RECEIVER),
]
Every = Annotated[
    int,
    typer.Option(min=1, help="fail every Nth time only", metavar="N", rich_help_panel=_RECEIVER),
]
RetryAfter = Annotated[
    int | None,
    typer.Option(min=0, help="seconds to ask for with --fail", rich_help_panel=_RECEIVER),
]
Delay = Annotated[
    float, typer.Option(min=0, help="seconds before each answer", rich_help_panel=_RECEIVER)
]
ForwardTo = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="follow the feed of SLIPGATE_API_KEY and deliver it there, signed",
        rich_help_panel=_FORWARDER,
    ),
]
Types = Annotated[
    str | None,
    typer.Option(
        help="such as task.*; default: those of a new endpoint", rich_help_panel=_FORWARDER
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        metavar="N|now",
        help="begin after this event, 0: with the oldest that is kept; "
        "default: where it stopped, the first time now",
        rich_help_panel=_FORWARDER,
    ),
]
Folder = Annotated[Path, typer.Option(help="folder of the secret and the progress")]
JsonLines = Annotated[bool, typer.Option("--json", help="print one JSON document a line")]


@webhook.command()
def sign(
    body: BodyFile = STDIN,
    message_id: Annotated[
        str | None, typer.Option("--id", help="id of the message; the same for each attempt")
    ] = None,
    timestamp: Annotated[
        int | None, typer.Option(min=0, help="Unix seconds of the attempt; default: now")
    ] = None,
    curl: Annotated[
        str | None, typer.Option(metavar="URL", help="print a command that sends it there")
    ] = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a body with SLIPGATE_WEBHOOK_SECRET; several secrets make several signatures.

    Example: slipgate webhook sign --body=event.json --curl=http://localhost:3000/api/hook
    """
    if body == STDIN and secret_file == STDIN:
        raise typer.BadParameter("stdin cannot be the body too", param_hint="--secret-file")
    keys = [each.key for each in read_secrets(secret_file)]
    raw = _read_bytes(body)
    message_id = message_id or f"msg_{secrets.token_hex(16)}"
    headers = _sign(message_id, int(time.time()) if timestamp is None else timestamp, keys, raw)
    command = None if curl is None else _curl(curl, headers, body, raw)
    if as_json:
        print_document({"headers": headers} | ({} if command is None else {"curl": command}))
    elif command is not None:
        typer.echo(command)
    else:
        for name, value in headers.items():
            typer.echo(f"{name}: {value}")


def _sign(message_id: str, timestamp: int, keys: list[bytes], body: bytes) -> dict[str, str]:
    signatures = " ".join(signature(key, message_id, timestamp, body) for key in keys)
    headers = dict(zip(STANDARD, (message_id, str(timestamp), signatures), strict=True))
    try:
        SignedHeaders.parse(headers)
    except MalformedHeaders as exc:
        raise CommandFailed(
            f"No receiver would take it: {exc}.", "Choose another --id or --timestamp."
        ) from exc
    return headers


def _curl(url: str, headers: dict[str, str], file: Path, body: bytes) -> str:
    """A command for a POSIX shell."""
    sent = {"content-type": "application/json", **headers}
    words = ["curl", "--include", *(f"--header={name}: {each}" for name, each in sent.items())]
    if file != STDIN:
        return shlex.join([*words, f"--data-binary=@{file}", url])
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise CommandFailed(
            "This body cannot stand in a command.", "Put it into a file, and name that by --body."
        )
    return shlex.join([*words, f"--data-raw={text}", url])


@webhook.command()
def verify(
    request: Annotated[
        Path | None,
        typer.Option(help="saved request: headers, an empty line, the body; - is stdin"),
    ] = None,
    headers: Annotated[
        list[str] | None, typer.Option("--header", help="'webhook-id: …'; several")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="file with the exact bytes of the body; - is stdin")
    ] = None,
    tolerance: Annotated[
        int, typer.Option(min=0, help="seconds that the clocks may differ")
    ] = TOLERANCE_SECONDS,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify a request with SLIPGATE_WEBHOOK_SECRET; exit 1 with the reason if it fails.

    Example: slipgate webhook verify --request=saved.http
    """
    if [request, body].count(None) != 1 or (request is not None and headers):
        options = "--request FILE, or --body FILE with --header for each of the three"
        raise typer.BadParameter(f"give {options}", param_hint="--request")
    if secret_file == STDIN and STDIN in {request, body}:
        raise typer.BadParameter("stdin cannot be the body too", param_hint="--secret-file")
    keys = read_secrets(secret_file)
    found = verify_request(_request(request, headers or [], body), keys, time.time(), tolerance)
    if as_json:
        print_document(found)
    if not found.verified:
        raise CommandFailed(f"{found.code}: {one_line(found.detail)}", one_line(found.hint))
    if not as_json:
        out.print(_verified_line(found, len(keys)))


def _verified_line(found: Verification, secret_count: int) -> str:
    which = f" with secret {found.secret} of {secret_count}" if secret_count > 1 else ""
    return f"verified{which}: {found.id}, signed {found.age}"


def _request(saved: Path | None, headers: list[str], body: Path | None) -> SignedRequest:
    if saved is not None:
        return SignedRequest.parse(_read_bytes(saved))
    return SignedRequest(headers=parse_headers(headers), body=_read_bytes(body or STDIN))


def _read_bytes(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()


@webhook.command()
def listen(
    port: Port = 4000,
    fail: Fail = None,
    times: Times = None,
    every: Every = 1,
    retry_after: RetryAfter = None,
    delay: Delay = 0,
    forward_to: ForwardTo = None,
    types: Types = None,
    after: After = None,
    state: Folder = Path(".slipgate"),
    secret_file: SecretFile = None,
    as_json: JsonLines = False,
) -> None:
    """Receive webhooks on this machine; with --forward-to, deliver events to your app.

    Example: slipgate webhook listen --forward-to=http://localhost:3000/api/hook
    """
    stop_on_signals()
    if forward_to is not None:
        if fail is not None or delay:
            raise typer.BadParameter("it is the app that answers", param_hint="--fail")
        forward(
            forward_to,
            after=after,
            types=types,
            state=state,
            secret_file=secret_file,
            as_json=as_json,
        )
        return
    fault = None
    if fail is not None:
        fault = Fault.read(fail, times=times, every=every, retry_after=retry_after)
    keys = signing_secrets(State(state), secret_file)
    receive(port, keys, fault=fault, delay=delay, as_json=as_json)
