"""`slipgate sweep`: has launchers look for orphan sandboxes, and shows what they found."""

import time
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, CommandFailed, one_line
from gateway.cli.console.terminal import out, print_table
from gateway.cli.console.times import zoned
from gateway.cli.http.client import Client, decode, open_client, present
from gateway.cli.operations.launchers import NO_LAUNCHER
from gateway.wire.operations import SweepsView, SweepView, UnwantedView

TIMEOUT: Final = 60.0
"""Seconds that launchers have for a sweep."""
POLL_SECONDS: Final = 1.0
_COLUMNS: Final = ("sandbox", "state", "made", "task", "attempt", "", "why")


def sweep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only show what the last sweeps have found")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove orphan sandboxes: those that no task wants; needs an ops key.

    Example: slipgate sweep --dry-run

    Example: slipgate sweep
    """
    with open_client() as client:
        answer = client.get("/v1/sweeps") if dry_run else _sweep(client)
    present(SweepsView, answer, _print, as_json=as_json)


def _sweep(client: Client) -> bytes:
    """Asks for a sweep and waits until each realm with a live launcher was swept."""
    before = decode(SweepsView, client.post("/v1/sweeps"))
    last = {_realm(sweep): sweep.swept_at for sweep in before.data}
    end = time.monotonic() + TIMEOUT
    while True:
        answer = client.get("/v1/sweeps")
        late = [
            _realm(sweep)
            for sweep in decode(SweepsView, answer).data
            if sweep.live and last.get(_realm(sweep), "") == sweep.swept_at
        ]
        if not late:
            return answer
        if time.monotonic() > end:
            raise CommandFailed(
                f"No launcher of {one_line(', '.join(late))} has answered within {TIMEOUT:.0f} s.",
                "Look at its log and `slipgate launchers list`; it sweeps as soon as it can.",
            )
        time.sleep(POLL_SECONDS)


def _realm(sweep: SweepView) -> str:
    """A realm as launchers name it, and the project that it serves."""
    name = f"{sweep.provider}@{sweep.realm}" if sweep.realm else sweep.provider
    return f"{name} of {sweep.project}" if sweep.project else name


def _print(found: SweepsView) -> None:
    if not found.data:
        out.print(NO_LAUNCHER)
    for sweep in found.data:
        _print_sweep(sweep)


def _print_sweep(sweep: SweepView) -> None:
    when = f"swept at {zoned(sweep.swept_at)}" if sweep.swept_at else "not swept yet"
    silent = "" if sweep.live else "; no launcher of it calls"
    counts = f"{sweep.seen} sandboxes of ours, {sweep.unwanted} unwanted"
    out.print(f"{one_line(_realm(sweep))}: {counts} ({when}{silent})")
    if not sweep.sandboxes:
        return
    print_table(_COLUMNS, map(_row, sweep.sandboxes))
    if sweep.unwanted > len(sweep.sandboxes):
        out.print(f"and {sweep.unwanted - len(sweep.sandboxes)} more", style="dim")


def _row(sandbox: UnwantedView) -> tuple[str, ...]:
    return (
        sandbox.name,
        sandbox.state,
        zoned(sandbox.created_at) or "-",
        sandbox.task_id or "-",
        str(sandbox.attempt or "-"),
        sandbox.outcome,
        sandbox.reason,
    )
