"""`slipgate launchers list` and `slipgate reconcile --dry-run`: what an operator looks at."""

from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from gateway.cli.console.output import AsJson, plain, print_document
from gateway.cli.console.terminal import print_table, screen
from gateway.cli.http.client import decode, open_client
from gateway.cli.http.replies import Answer

launchers: Final = typer.Typer(no_args_is_help=True, help="who runs sandboxes")


class HeldJob(Answer, frozen=True, kw_only=True):
    """A job under a lease."""

    id: str


class Launcher(Answer, frozen=True, kw_only=True):
    """A launcher's process."""

    id: str
    providers: tuple[str, ...]
    capacity: int
    version: str
    last_called_at: str
    live: bool
    jobs: tuple[HeldJob, ...]


class LauncherPage(Answer, frozen=True, kw_only=True):
    """A page of a list."""

    data: tuple[Launcher, ...]
    next_cursor: str | None = None


class DueClock(Answer, frozen=True, kw_only=True):
    """What has run out."""

    what: str
    since: str


class ForeseenEvent(Answer, frozen=True, kw_only=True):
    """An event that would be written."""

    task_id: str
    type: str


class ForeseenJob(Answer, frozen=True, kw_only=True):
    """A job that would be opened or changed."""

    id: str
    state: str


class ForeseenStep(Answer, frozen=True, kw_only=True):
    """What is due, and what would come of it."""

    task_id: str | None
    job_id: str | None
    realm: str | None
    status: str | None
    due: tuple[DueClock, ...]
    next_status: str | None
    events: tuple[ForeseenEvent, ...]
    jobs: tuple[ForeseenJob, ...]


class Reconciling(Answer, frozen=True, kw_only=True):
    """Everything that is due."""

    data: tuple[ForeseenStep, ...]
    is_whole: bool
    next_due_at: str | None
    outage_since: str | None


@launchers.command("list")
def list_launchers(
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """The launchers that called within the last day; needs an ops key."""
    query: dict[str, str | int] = {"limit": limit} | ({"cursor": cursor} if cursor else {})
    with open_client() as client:
        answer = client.get("/v1/launchers", **query)
    if as_json:
        print_document(answer)
        return
    page = decode(LauncherPage, answer)
    if not page.data:
        screen.print("No launcher has called. Start one: `slipgate launcher`.", markup=False)
        return
    table = Table("id", "live", "last call (UTC)", "free", "jobs", "version", "providers", box=None)
    for each in page.data:
        table.add_row(
            each.id,
            "yes" if each.live else "no",
            each.last_called_at[:19],
            str(each.capacity),
            str(len(each.jobs)),
            escape(plain(each.version)),
            escape(plain(", ".join(each.providers))),
        )
    print_table(table)
    if page.next_cursor:
        screen.print(f"more: --cursor {page.next_cursor}", style="dim", markup=False)


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show it")] = False,
    within: Annotated[
        int, typer.Option(min=0, max=86_400, help="what would be done in so many seconds")
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """What the reconciler would do now; needs an ops key."""
    if not dry_run:
        raise typer.BadParameter(
            "the gateway reconciles by itself, all the time; --dry-run shows what it would do",
            param_hint="--dry-run",
        )
    with open_client() as client:
        answer = client.get("/v1/reconcile", within=within, limit=limit)
    if as_json:
        print_document(answer)
        return
    found = decode(Reconciling, answer)
    if found.outage_since:
        screen.print(
            f"Nothing could commit since {found.outage_since}: what came due is moved first.",
            markup=False,
        )
    for step in found.data:
        _print_step(step)
    if not found.data:
        screen.print(f"Nothing is due; next at {found.next_due_at or '-'}.", markup=False)
    if not found.is_whole:
        screen.print("More is due: --limit shows more of it.", style="dim")


def _print_step(step: ForeseenStep) -> None:
    due = ", ".join(f"{clock.what} due since {clock.since}" for clock in step.due)
    change = "" if step.next_status == step.status else f" → {step.next_status}"
    what = step.job_id or step.task_id or plain(step.realm or "")
    screen.print(f"{what}  {step.status or ''}{change}: {due}", markup=False)
    for event in step.events:
        of_task = "" if step.task_id else f" of {event.task_id}"
        screen.print(f"  would say {event.type}{of_task}", markup=False)
    for job in step.jobs:
        screen.print(f"  would leave {job.id} {job.state}", markup=False)
    if not step.events and not step.jobs:
        screen.print("  would only move its clocks", markup=False)
