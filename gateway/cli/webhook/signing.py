"""`slipgate webhook sign`: the three headers of a body."""

import secrets
import shlex
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, print_document
from gateway.cli.webhook.request import read_bytes
from gateway.cli.webhook.secret import STDIN, SecretFile, given_secrets
from gateway.wire.signing import STANDARD, MalformedHeaders, SignedHeaders
from gateway.wire.signing import sign as signature

BodyFile = Annotated[Path, typer.Option("--body", help="a file with the body; - is stdin")]
_STDIN: Final = Path(STDIN)


def sign(
    body: BodyFile = _STDIN,
    message_id: Annotated[
        str | None, typer.Option("--id", help="of the message; the same for each attempt")
    ] = None,
    timestamp: Annotated[
        int | None, typer.Option(min=0, help="Unix seconds of the attempt; else now")
    ] = None,
    curl: Annotated[
        str | None, typer.Option(metavar="URL", help="print a command that sends it there")
    ] = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a body with SLIPGATE_WEBHOOK_SECRET; several secrets make several signatures."""
    if body == _STDIN and secret_file == _STDIN:
        raise typer.BadParameter("stdin cannot be the body too", param_hint="--secret-file")
    keys = given_secrets(secret_file)
    raw = read_bytes(body)
    headers = _headers(
        message_id or f"msg_{secrets.token_hex(16)}",
        int(time.time()) if timestamp is None else timestamp,
        [each.key for each in keys],
        raw,
    )
    command = None if curl is None else _curl(curl, headers, body, raw)
    if as_json:
        print_document({"headers": headers} | ({} if command is None else {"curl": command}))
        return
    if command is not None:
        typer.echo(command)
        return
    for name, value in headers.items():
        typer.echo(f"{name}: {value}")


def _headers(message_id: str, timestamp: int, keys: list[bytes], body: bytes) -> dict[str, str]:
    signatures = " ".join(signature(key, message_id, timestamp, body) for key in keys)
    headers = dict(zip(STANDARD, (message_id, str(timestamp), signatures), strict=True))
    try:
        SignedHeaders.parse(headers)
    except MalformedHeaders as exc:
        raise CommandFailed(f"No receiver would take it: {exc}.", "Choose another.") from exc
    return headers


def _curl(url: str, headers: dict[str, str], file: Path, body: bytes) -> str:
    """For a POSIX shell."""
    sent = {"content-type": "application/json", **headers}
    words = ["curl", "--include", *(f"--header={name}: {each}" for name, each in sent.items())]
    if file != _STDIN:
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
