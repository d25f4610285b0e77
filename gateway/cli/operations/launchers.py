"""`slipgate launchers list` and `slipgate reconcile --dry-run`."""

from functools import partial
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, one_line
from gateway.cli.console.terminal import out, print_page
from gateway.cli.console.times import zoned
from gateway.cli.http.client import open_client, present
from gateway.wire.operations import DryRunStepView, LauncherView, ReconcileView
from gateway.wire.tasks import Page

launchers: Final = typer.Typer(
    no_args_is_help=True,
    help="List launchers.\n\nExample: slipgate launchers list",
)
_COLUMNS: Final = ("id", "live", "last call", "free", "jobs", "version", "providers")
NO_LAUNCHER: Final = "No launcher has called. Start one: `slipgate launcher`."


@launchers.command("list")
def list_launchers(
    limit: Annotated[int, typer.Option(min=1, max=200, help="launchers to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List the launchers that called within the last day; needs an ops key.

    Example: slipgate launchers list --json

    Example: slipgate launchers list --limit=10
    """
    with open_client() as client:
        answer = client.get("/v1/launchers", limit=limit, cursor=cursor)
    show_page = partial(print_page, names=_COLUMNS, row=_row, empty=NO_LAUNCHER)
    present(Page[LauncherView], answer, show_page, as_json=as_json)


def _row(launcher: LauncherView) -> tuple[str, ...]:
    return (
        launcher.id,
        "yes" if launcher.live else "no",
        zoned(launcher.last_called_at),
        str(launcher.capacity),
        str(len(launcher.jobs)),
        launcher.version,
        ", ".join(launcher.providers),
    )


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="change nothing; required")] = False,
    within: Annotated[
        int, typer.Option(min=0, max=86_400, help="also show what is due within these seconds")
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=200, help="entries to show")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what the reconciler would do now; needs an ops key.

    Example: slipgate reconcile --dry-run --within=3600

    Example: slipgate reconcile --dry-run --json
    """
    if not dry_run:
        raise typer.BadParameter(
            "the gateway reconciles by itself, all the time; --dry-run shows what it would do",
            param_hint="--dry-run",
        )
    with open_client() as client:
        answer = client.get("/v1/reconcile", within=within, limit=limit)
    present(ReconcileView, answer, _print, as_json=as_json)


def _print(found: ReconcileView) -> None:
    if found.outage_since:
        out.print(f"Nothing could commit since {found.outage_since}: what came due is moved first.")
    for step in found.data:
        _print_step(step)
    if not found.data:
        out.print(f"Nothing is due; next at {found.next_due_at or '-'}.")
    if not found.is_whole:
        out.print("More is due: --limit shows more of it.", style="dim")


def _print_step(step: DryRunStepView) -> None:
    due = ", ".join(f"{clock.what} due since {clock.since}" for clock in step.due)
    change = "" if step.next_status == step.status else f" → {step.next_status}"
    subject = step.job_id or step.task_id or one_line(step.realm or "")
    out.print(f"{subject}  {step.status or ''}{change}: {due}")
    for event in step.events:
        of_task = "" if step.task_id else f" of {event.task_id}"
        out.print(f"  would say {event.type}{of_task}")
    for job in step.jobs:
        out.print(f"  would leave {job.id} {job.state}")
    if not step.events and not step.jobs:
        out.print("  would only move its clocks")
