"""`slipgate webhook listen`: a receiver to look at, or the feed forwarded to an app here."""

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.local.processes import stop_on_sigterm
from gateway.cli.webhook.fault import Fault
from gateway.cli.webhook.forwarding import forward
from gateway.cli.webhook.receive import receive
from gateway.cli.webhook.secret import SecretFile, given_secrets

_RECEIVER: Final = "As a receiver"
_FORWARDER: Final = "Forwarding"

Port = Annotated[int, typer.Option(min=0, max=65_535, help="0: any", rich_help_panel=_RECEIVER)]
Fail = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="answer so: 500, 429, 410, any status from 300, redirect, reset, hang",
        rich_help_panel=_RECEIVER,
    ),
]
Times = Annotated[
    int | None,
    typer.Option(min=1, help="the first N times only", metavar="N", rich_help_panel=_RECEIVER),
]
Every = Annotated[
    int, typer.Option(min=1, help="every Nth time only", metavar="N", rich_help_panel=_RECEIVER)
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
        help="such as task.*; else what endpoints usually get", rich_help_panel=_FORWARDER
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        metavar="N|now",
        help="begin behind this event, 0: with the oldest that is kept; "
        "else where it stopped, the first time with what comes now",
        rich_help_panel=_FORWARDER,
    ),
]
Folder = Annotated[Path, typer.Option(help="folder of the secret and of how far it came")]
JsonLines = Annotated[bool, typer.Option("--json", help="one JSON document a line")]


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
    """Receive webhooks on this machine and print each; or, with --forward-to, bring your app the
    project's events without a tunnel."""
    stop_on_sigterm()
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
    receive(port, given_secrets(secret_file), fault=fault, delay=delay, as_json=as_json)
