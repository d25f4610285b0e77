"""`slipgate status`: what is wrong, and the command for it."""

import sys
import time
from typing import Annotated, Final

import typer
from rich.console import Group
from rich.text import Text

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
        present(StatusView, answer, _print_status, as_json=as_json)
        while watch:
            time.sleep(WATCH_SECONDS)
            answer = client.retrying(lambda: _read(client))
            out.rule(time.strftime("%H:%M:%S %Z"))
            present(StatusView, answer, _print_status, as_json=as_json)
    if not decode(StatusView, answer).ok:
        raise typer.Exit(1)


def _read(client: Client) -> bytes:
    return client.get("/v1/status")


def _print_status(status: StatusView) -> None:
    """Prints one line, or two for each problem, and the counts; within a terminal's width."""
    out.print(status_lines(status), soft_wrap=not sys.stdout.isatty(), crop=False)


def status_lines(status: StatusView) -> Group:
    """The problems, each with its command, the warnings and the counts; a command stays whole, to
    be copied."""
    lines = [Text("Nothing is wrong.", style="green")] if status.ok else []
    for problem in status.problems:
        summary = one_line(f"  {problem.summary}, since {zoned(problem.since)}")
        lines.append(Text.assemble((problem.code, "bold red"), summary))
        lines.append(Text(f"  {problem.do}", style="dim", no_wrap=True, overflow="ignore"))
    for warning in status.warnings:
        detail = one_line(f"  {warning.detail}")
        lines.append(Text.assemble((warning.code, "bold yellow"), detail))
        lines.append(Text(one_line(f"  {warning.hint}"), style="dim"))
    strip = status.strip
    counts = (
        f"queued {strip.queued}  launching {strip.launching}  running {strip.running}  "
        f"ended in an hour {strip.ended_last_hour}  deliveries due {strip.deliveries_due}  "
        f"launchers {strip.launchers_live}  gateways {strip.gateways_live}"
    )
    return Group(*lines, Text(counts, style="dim"))
