"""`slipgate launchers` and `slipgate reconcile --dry-run`."""

from functools import partial
from typing import Annotated, Final

import typer

from gateway.cli.console.output import AsJson, one_line
from gateway.cli.console.terminal import out, print_page
from gateway.cli.console.times import age, now, zoned
from gateway.cli.http.client import change_of, open_client, present
from gateway.cli.http.options import DryRun
from gateway.cli.http.paths import path_part
from gateway.wire.operations import DryRunStepView, LauncherView, ReconcileView
from gateway.wire.tasks import Page

launchers: Final = typer.Typer(
    no_args_is_help=True,
    help="List, drain, resume and revoke launchers.\n\nExample: slipgate launchers list",
)
_COLUMNS: Final = ("id", "live", "mode", "last call", "free", "jobs", "version", "providers")
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


LauncherId = Annotated[str, typer.Argument(metavar="ID", help="as `slipgate launchers list` shows")]
Why = Annotated[str, typer.Option("--reason", help="why; kept beside the launcher")]


@launchers.command()
def drain(
    launcher_id: LauncherId, reason: Why, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Let a launcher finish its jobs and get no new create jobs; needs an ops key.

    Example: slipgate launchers drain launcher-7f3a --reason="new kernel"

    Example: slipgate launchers drain launcher-7f3a --reason="moves away" --json
    """
    _decide(launcher_id, "drain", change_of(reason, is_dry_run=dry_run), as_json=as_json)


@launchers.command()
def resume(
    launcher_id: LauncherId,
    reason: Why = "resumed",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a drained or revoked launcher work again; needs an ops key.

    Example: slipgate launchers resume launcher-7f3a

    Example: slipgate launchers resume launcher-7f3a --reason="kernel is new"
    """
    _decide(launcher_id, "resume", change_of(reason, is_dry_run=dry_run), as_json=as_json)


@launchers.command()
def revoke(
    launcher_id: LauncherId, reason: Why, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Take a launcher's jobs away and refuse its calls; needs an ops key.

    Example: slipgate launchers revoke launcher-7f3a --reason="host is compromised"

    Example: slipgate launchers revoke launcher-7f3a --reason="hangs" --dry-run
    """
    _decide(launcher_id, "revoke", change_of(reason, is_dry_run=dry_run), as_json=as_json)


def _decide(launcher_id: str, verb: str, body: dict[str, object], *, as_json: bool) -> None:
    path = f"/v1/launchers/{path_part(launcher_id, also='.:', of='launchers list')}/{verb}"
    with open_client() as client:
        answer = client.call("POST", path, body)
    is_dry_run = "dryRun" in body
    present(LauncherView, answer, _print_decided, as_json=as_json, is_dry_run=is_dry_run)


def _print_decided(launcher: LauncherView) -> None:
    held = len(launcher.jobs)
    jobs = "no jobs" if not held else "1 job" if held == 1 else f"{held} jobs"
    out.print(one_line(f"{launcher.id} is {launcher.mode} and holds {jobs}."))


def _row(launcher: LauncherView) -> tuple[str, ...]:
    return (
        launcher.id,
        "yes" if launcher.live else "no",
        launcher.mode,
        f"{age(launcher.last_called_at, now())} ago",
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
        since = zoned(found.outage_since)
        out.print(f"Nothing could commit since {since}: what came due is moved first.")
    for step in found.data:
        _print_step(step)
    if not found.data:
        out.print(f"Nothing is due; next at {zoned(found.next_due_at) or '-'}.")
    if not found.is_whole:
        out.print("More is due: --limit shows more of it.", style="dim")


def _print_step(step: DryRunStepView) -> None:
    due = ", ".join(f"{clock.what} due since {zoned(clock.since)}" for clock in step.due)
    change = "" if step.next_status == step.status else f" → {step.next_status}"
    subject = step.job_id or step.task_id or one_line(step.realm or "")
    out.print(f"{subject}  {step.status or ''}{change}: {due}")
    for event in step.events:
        of_task = "" if step.task_id else f" of {event.task_id}"
        out.print(f"  would emit {event.type}{of_task}")
    for job in step.jobs:
        out.print(f"  would leave {job.id} {job.state}")
    if not step.events and not step.jobs:
        out.print("  would only move its clocks")
