"""`slipgate bulk …`: one action on all tasks that match; needs a tasks or ops key."""

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from gateway.cli.console.output import AsJson, CommandFailed
from gateway.cli.console.terminal import err, note, out, print_fields, print_page, print_table
from gateway.cli.console.times import zoned
from gateway.cli.http.client import Client, change_of, decode, open_client, present
from gateway.cli.http.options import DryRun, Reason
from gateway.cli.http.paths import path_part
from gateway.cli.tasks.fields import FILTER, command_with, given_fields
from gateway.wire.bulk import BulkPreview, BulkView, WholeBulkView
from gateway.wire.tasks import Page

bulk: Final = typer.Typer(
    no_args_is_help=True,
    help="Cancel, retry or destroy all tasks that match a filter.\n\n"
    'Example: slipgate bulk retry --error-code=model_unavailable --reason="it is back"',
)

BulkId = Annotated[str, typer.Argument(metavar="ID", help="bulk_…")]
POLL: Final = 0.5
"""Seconds between two looks at an action that is followed."""
_ACTS: Final = {
    "cancel": "Cancel the tasks that match; without --status those that have not ended.\n\n"
    "Example: slipgate bulk cancel --flag=silent --reason=outage --dry-run",
    "retry": "Retry the tasks that match; without --status failed, timed_out and expired.\n\n"
    'Example: slipgate bulk retry --error-code=model_unavailable --reason="it is back" --wait',
    "destroy": "Destroy the sandboxes of ended tasks that match, also those that are kept.\n\n"
    'Example: slipgate bulk destroy --provider=daytona-api --reason="no room there"',
}


def _command(verb: str) -> Callable[..., None]:
    """The command of an action; all of them take the same filter."""

    def act(
        context: typer.Context,
        reason: Annotated[str, typer.Option(help="kept, also in the events of the tasks")],
        dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them")] = False,
        wait: Annotated[bool, typer.Option("--wait", help="follow it to its end")] = False,
        as_json: AsJson = False,
    ) -> None:
        given = given_fields(context)
        if "status" in given:
            given["status"] = given["status"].split(",")
        body = {"action": verb, "filter": given, "reason": reason, "dryRun": dry_run}
        with open_client() as client:
            _start(client, body, is_followed=wait, as_json=as_json)

    return act


for _verb, _help in _ACTS.items():
    bulk.command(_verb, cls=command_with(FILTER), help=_help)(_command(_verb))


@bulk.command("list")
def list_bulk(
    limit: Annotated[int, typer.Option(min=1, max=200, help="actions to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List bulk actions, newest first.

    Example: slipgate bulk list
    """
    with open_client() as client:
        answer = client.get("/v1/bulk", limit=limit, cursor=cursor)
    names = ("id", "action", "status", "done", "failed", "of", "created", "reason")
    show_page = partial(print_page, names=names, row=_row, empty="No bulk actions.")
    present(Page[BulkView], answer, show_page, as_json=as_json)


@bulk.command()
def show(bulk_id: BulkId, as_json: AsJson = False) -> None:
    """Show how far a bulk action has come, and the first tasks that it was refused for.

    Example: slipgate bulk show bulk_01k…
    """
    with open_client() as client:
        answer = client.get(_path(bulk_id))
    present(WholeBulkView, answer, _print, as_json=as_json)


@bulk.command()
def abort(
    bulk_id: BulkId, reason: Reason = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Stop a bulk action where it stands.

    Example: slipgate bulk abort bulk_01k…
    """
    with open_client() as client:
        body = change_of(reason, is_dry_run=dry_run)
        answer = client.post(f"{_path(bulk_id)}/abort", body)
    present(WholeBulkView, answer, _print, as_json=as_json, is_dry_run=dry_run)


def _start(client: Client, body: dict[str, object], *, is_followed: bool, as_json: bool) -> None:
    answer = client.post("/v1/bulk", body)
    if body["dryRun"]:
        present(BulkPreview, answer, _print_preview, as_json=as_json)
        return
    if not is_followed:
        present(WholeBulkView, answer, _print_started, as_json=as_json)
        return
    answer = _follow(client, decode(WholeBulkView, answer))
    present(WholeBulkView, answer, _print, as_json=as_json)
    ended = decode(WholeBulkView, answer)
    if ended.failed or ended.status != "done":
        raise CommandFailed(
            f"The action is {ended.status}; {ended.failed} of {ended.matched} tasks were refused.",
            f"Run `slipgate bulk show {ended.id}` for their codes.",
        )


def _follow(client: Client, view: WholeBulkView) -> bytes:
    """Shows a progress bar on a terminal until the action is over; the last answer."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        bar = progress.add_task(view.action, total=view.matched)
        while True:
            answer = client.retrying(partial(client.get, _path(view.id)))
            view = decode(WholeBulkView, answer)
            progress.update(bar, completed=view.done + view.failed)
            if view.status != "running":
                return answer
            time.sleep(POLL)


def _print_preview(preview: BulkPreview) -> None:
    out.print(f"{preview.matched} tasks match; nothing was done")
    for task_id in preview.sample:
        out.print(f"  {task_id}")
    if preview.matched > len(preview.sample):
        note("the newest of them; leave --dry-run out to act on all")


def _print_started(view: WholeBulkView) -> None:
    out.print(f"{view.id}: {view.action} {view.matched} tasks")
    out.print(f"follow it: slipgate bulk show {view.id}", style="dim")


def _print(view: WholeBulkView) -> None:
    print_fields(
        {
            "action": f"{view.action} ({view.status})",
            "tasks": f"{view.done} done, {view.failed} refused, of {view.matched}",
            "filter": bytes(view.filter).decode(),
            "reason": view.reason,
            "by": view.actor,
            "created": zoned(view.created_at),
            "ended": zoned(view.finished_at),
        }
    )
    if view.failures:
        print_table(("task", "code"), ((each.task_id, each.code) for each in view.failures))


def _row(view: BulkView) -> tuple[str, ...]:
    counts = (str(view.done), str(view.failed), str(view.matched))
    return (view.id, view.action, view.status, *counts, zoned(view.created_at), view.reason)


def _path(bulk_id: str) -> str:
    return f"/v1/bulk/{path_part(bulk_id, of='bulk list')}"
