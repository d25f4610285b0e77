"""`slipgate status`: what is wrong, and the command for it."""

import time
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, one_line
from gateway.cli.console.terminal import out
from gateway.cli.console.times import zoned
from gateway.cli.http.client import Client, decode, open_client, present
from gateway.wire.operations import StatusView

WATCH_SECONDS: Final = 2.0


def status(
    watch: Annotated[bool, typer.Option("--watch", help="show it again every 2 s")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is wrong, grouped by cause; exit code 1 if anything is.

    Example: slipgate status --watch

    Example: slipgate status --json
    """
    with open_client() as client:
        answer = client.get("/v1/status")
        present(StatusView, answer, print_status, as_json=as_json)
        while watch:
            time.sleep(WATCH_SECONDS)
            answer = client.retrying(lambda: _read(client))
            out.rule(time.strftime("%H:%M:%S %Z"))
            present(StatusView, answer, print_status, as_json=as_json)
    if not decode(StatusView, answer).ok:
        raise typer.Exit(1)


def _read(client: Client) -> bytes:
    return client.get("/v1/status")


def print_status(status: StatusView) -> None:
    """Prints one line, or two for each problem, and the counts."""
    if status.ok:
        out.print("Nothing is wrong.", style="green")
    for problem in status.problems:
        out.print(problem.code, style="bold red", end="")
        out.print(one_line(f"  {problem.summary}, since {zoned(problem.since)}"))
        out.print(f"  {problem.do}", style="dim")
    strip = status.strip
    out.print(
        f"queued {strip.queued}  launching {strip.launching}  running {strip.running}  "
        f"ended in an hour {strip.ended_last_hour}  deliveries due {strip.deliveries_due}  "
        f"launchers {strip.launchers_live}",
        style="dim",
    )
