"""`slipgate webhook verify`: whether a request is what it says, and why not."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.console.output import (
    AsJson,
    CommandFailed,
    plain,
    print_document,
)
from gateway.cli.console.terminal import screen
from gateway.cli.webhook.request import SignedRequest, headers_of, read_bytes
from gateway.cli.webhook.secret import STDIN, SecretFile, given_secrets
from gateway.cli.webhook.verification import Verdict, judge
from gateway.wire.signing import TOLERANCE_SECONDS

_STDIN: Final = Path(STDIN)


def verify(
    request: Annotated[
        Path | None,
        typer.Option(help="a saved request: headers, an empty line, the body; - is stdin"),
    ] = None,
    headers: Annotated[
        list[str] | None, typer.Option("--header", help="'webhook-id: …'; several")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="a file with the very bytes of the body; - is stdin")
    ] = None,
    tolerance: Annotated[
        int, typer.Option(min=0, help="seconds that the clocks may be apart")
    ] = TOLERANCE_SECONDS,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify a request with SLIPGATE_WEBHOOK_SECRET; exit code 1 if it is not what it says."""
    if [request, body].count(None) != 1 or (request is not None and headers):
        hint = "--request FILE, or --body FILE with --header for each of the three"
        raise typer.BadParameter(f"give {hint}", param_hint="--request")
    if secret_file == _STDIN and _STDIN in {request, body}:
        raise typer.BadParameter("stdin cannot be the body too", param_hint="--secret-file")
    secrets = given_secrets(secret_file)
    verdict = judge(_request(request, headers or [], body), secrets, time.time(), tolerance)
    if as_json:
        print_document(verdict)
    if not verdict.verified:
        raise CommandFailed(f"{verdict.code}: {plain(verdict.detail)}", plain(verdict.hint))
    if not as_json:
        screen.print(told(verdict, len(secrets)), markup=False)


def told(verdict: Verdict, secrets: int) -> str:
    """A good verdict in one line."""
    which = f" with secret {verdict.secret} of {secrets}" if secrets > 1 else ""
    return f"verified{which}: {verdict.id}, signed {verdict.age}"


def _request(saved: Path | None, headers: list[str], body: Path | None) -> SignedRequest:
    if saved is not None:
        return SignedRequest.parse(read_bytes(saved))
    return SignedRequest(headers=headers_of(headers), body=read_bytes(body or _STDIN))
