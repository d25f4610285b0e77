"""`slipgate tasks …`: creates, shows and steers tasks over HTTP."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.bundle.archive import write
from gateway.cli.bundle.collect import collect
from gateway.cli.console.output import AsJson, CommandFailed, one_line, print_document, printable
from gateway.cli.console.terminal import note, out
from gateway.cli.http.client import Client, change_of, decode, open_client, present
from gateway.cli.http.errors import Rejected
from gateway.cli.http.options import DryRun, Reason
from gateway.cli.http.paths import TaskId, task_path
from gateway.cli.tasks.create import create
from gateway.cli.tasks.events import events
from gateway.cli.tasks.fields import FIELDS, FILTER, command_with
from gateway.cli.tasks.lists import list_tasks
from gateway.cli.tasks.logs import logs
from gateway.cli.tasks.printing import (
    print_explanation,
    print_included,
    print_receipts,
    print_task,
)
from gateway.cli.tasks.watch import explanation, watch
from gateway.wire.tasks import ExplanationView, ReceiptsView, TaskView, WholeTaskView

tasks: Final = typer.Typer(
    no_args_is_help=True,
    help="Create, watch and steer tasks.\n\nExample: slipgate tasks list --status=running",
)

TaskIds = Annotated[list[str], typer.Argument(metavar="ID…", help="task_…, one or several")]


tasks.command(cls=command_with(FIELDS))(create)
tasks.command("list", cls=command_with(FILTER))(list_tasks)


@tasks.command()
def show(
    task_id: TaskId,
    include: Annotated[str | None, typer.Option(help="attempts,deliveries")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a task: its state in a sentence, then its fields.

    Example: slipgate tasks show task_01k… --include=attempts,deliveries

    Example: slipgate tasks show task_01k… --json
    """
    with open_client() as client:
        answer = client.get(task_path(task_id), include=include)
        present(WholeTaskView, answer, partial(_print_whole, client), as_json=as_json)


def _print_whole(client: Client, task: WholeTaskView) -> None:
    print_task(task, explanation(client, task.id))
    print_included(task)


@tasks.command()
def explain(task_id: TaskId, as_json: AsJson = False) -> None:
    """Explain the state of a task: the reason, the next steps and the evidence.

    Example: slipgate tasks explain task_01k…

    Example: slipgate tasks explain task_01k… --profile=production
    """
    with open_client() as client:
        answer = client.get(f"{task_path(task_id)}/explain")
    present(ExplanationView, answer, print_explanation, as_json=as_json)


tasks.command()(watch)
tasks.command()(events)
tasks.command()(logs)


@tasks.command()
def cancel(
    task_ids: TaskIds, reason: Reason = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Stop tasks and destroy their sandboxes.

    Example: slipgate tasks cancel task_01k…

    Example: slipgate tasks cancel task_01k… task_01m… --reason="wrong branch"
    """
    _steer(task_ids, "cancel", as_json, change_of(reason, is_dry_run=dry_run))


@tasks.command()
def retry(
    task_ids: TaskIds, reason: Reason = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Start another attempt of tasks that have ended.

    Example: slipgate tasks retry task_01k…

    Example: slipgate tasks retry task_01k… task_01m… --dry-run
    """
    _steer(task_ids, "retry", as_json, change_of(reason, is_dry_run=dry_run))


@tasks.command()
def release(
    task_id: TaskId,
    attempt: Annotated[int, typer.Option(min=1, help="the attempt whose sandbox is gone")],
    reason: Annotated[str, typer.Option(help="how you know it; kept in the history")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Declare a sandbox gone that no launcher can confirm (needs an ops key).

    Example: slipgate tasks release task_01k… --attempt=1 --reason="the host is gone"

    Example: slipgate tasks release task_01k… --attempt=2 --reason="deleted by hand" --json
    """
    body = change_of(reason, is_dry_run=dry_run)
    _steer([task_id], f"attempts/{attempt}/release", as_json, body)


@tasks.command()
def purge(
    task_id: TaskId,
    reason: Annotated[str, typer.Option(help="kept in the history")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove prompt, env, log, patch and bodies of an ended task for good (needs an ops key).

    Example: slipgate tasks purge task_01k… --reason="personal data"

    Example: slipgate tasks purge task_01k… --reason="a leaked key" --dry-run
    """
    with open_client() as client:
        body = change_of(reason, is_dry_run=dry_run)
        answer = client.post(f"{task_path(task_id)}/purge", body)
    present(TaskView, answer, _print_purged, as_json=as_json, is_dry_run=dry_run)


def _print_purged(task: TaskView) -> None:
    out.print(f"purged {task.id}: its states and events are kept, its contents are gone")


@tasks.command()
def patch(
    task_id: TaskId,
    attempt: Annotated[int | None, typer.Option(min=1, help="of this attempt")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the agent's changes as a diff; those of the newest attempt that has any.

    Example: slipgate tasks patch task_01k… | git apply

    Example: slipgate tasks patch task_01k… --attempt=1
    """
    with open_client() as client:
        answer = client.get(f"{task_path(task_id)}/patch", attempt=attempt)
    if as_json:
        print_document({"taskId": task_id, "patch": answer.decode("utf-8", "replace")})
    elif sys.stdout.isatty():
        typer.echo(printable(answer.decode("utf-8", "replace")), nl=False)
    else:
        typer.echo(answer, nl=False)


@tasks.command()
def bundle(
    task_id: TaskId,
    output: Annotated[Path | None, typer.Option(help="file to write; default: ID.tar.gz")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the newest attempt of an ended task into one archive: prompt, patch, receipts, turns.

    Example: slipgate tasks bundle task_01k… && slipgate bundle replay task_01k….tar.gz

    Example: slipgate tasks bundle task_01k… --output=run.tar.gz
    """
    path = output or Path(f"{task_id}.tar.gz")
    with open_client() as client:
        manifest, files = collect(client, task_id)
    write(path, manifest, files)
    if as_json:
        print_document(manifest)
    else:
        out.print(f"wrote {path}: {', '.join(sorted(files))}")
        out.print(f"replay it: slipgate bundle replay {path}", style="dim")


@tasks.command()
def receipts(
    task_id: TaskId,
    attempt: Annotated[int | None, typer.Option(min=1, help="of this attempt")] = None,
    as_json: AsJson = False,
) -> None:
    """List the checks of a task's changes; exit 1 if their signature does not hold.

    Example: slipgate tasks receipts task_01k…

    Example: slipgate tasks receipts task_01k… --attempt=1
    """
    with open_client() as client:
        answer = client.get(f"{task_path(task_id)}/receipts", attempt=attempt)
    present(ReceiptsView, answer, print_receipts, as_json=as_json)
    if decode(ReceiptsView, answer).verified is False:
        raise CommandFailed(
            "The receipts are not those that the agent signed.",
            f"Trust none of them: run `slipgate tasks retry {task_id}`, or validate the change "
            "by hand.",
        )


def _steer(task_ids: list[str], verb: str, as_json: bool, body: dict[str, object]) -> None:
    """Steers one task after the other; a refusal does not stop the rest."""
    with open_client() as client:
        if len(task_ids) == 1:
            answer = client.post(f"{task_path(task_ids[0])}/{verb}", body)
            _print_steered(client, answer, as_json, body)
            return
        refused = [each for each in task_ids if not _is_steered(client, each, verb, as_json, body)]
    if refused:
        raise CommandFailed(
            f"{len(refused)} of {len(task_ids)} were refused: {' '.join(refused)}.",
            "Their reasons stand above; `slipgate tasks explain ID` says more.",
        )


def _is_steered(
    client: Client, task_id: str, verb: str, as_json: bool, body: dict[str, object]
) -> bool:
    try:
        answer = client.post(f"{task_path(task_id)}/{verb}", body)
    except Rejected as error:
        note(f"{task_id}: {error.message}")
        return False
    if not as_json:
        out.print(f"{task_id} ", end="")
    _print_steered(client, answer, as_json, body)
    return True


def _print_steered(client: Client, answer: bytes, as_json: bool, body: dict[str, object]) -> None:
    """A dry run has nothing to explain: the task would have the status of the answer."""
    is_dry_run = "dryRun" in body

    def show(task: TaskView) -> None:
        is_stopping = task.cancel_requested_at is not None and task.finished_at is None
        status = f"it would be {task.status}{' and stopping' if is_stopping else ''}"
        out.print(one_line(status if is_dry_run else explanation(client, task.id).summary))

    present(TaskView, answer, show, as_json=as_json, is_dry_run=is_dry_run)
