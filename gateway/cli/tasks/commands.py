"""`slipgate tasks …`: creates, shows and steers tasks over HTTP."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.bundle.archive import write
from gateway.cli.bundle.collect import collect
from gateway.cli.console.output import AsJson, CommandFailed, one_line, print_document, printable
from gateway.cli.console.terminal import note, out, print_table
from gateway.cli.http.client import (
    SUCCESSFUL,
    Client,
    decode,
    decode_events,
    open_client,
    present,
    task_path,
)
from gateway.cli.tasks.events import events
from gateway.cli.tasks.options import Metadata, Moment, metadata_of
from gateway.cli.tasks.printing import (
    FREQUENT,
    event_line,
    print_explanation,
    print_included,
    print_receipts,
    print_task,
    task_row,
)
from gateway.wire.tasks import (
    ExplanationView,
    LogChunk,
    Page,
    ReceiptsView,
    TaskView,
    WholeTaskView,
)

tasks: Final = typer.Typer(
    no_args_is_help=True,
    help="Create, watch and steer tasks.\n\nExample: slipgate tasks list --status=running",
)

TaskId = Annotated[str, typer.Argument(metavar="ID", help="task_…")]


@tasks.command()
def create(
    prompt: Annotated[str, typer.Option(help="what the agent does")],
    repo: Annotated[str | None, typer.Option(help="address of the repository")] = None,
    continue_of: Annotated[
        str | None, typer.Option(help="ended task, whose branch and pull request to go on with")
    ] = None,
    base: Annotated[str | None, typer.Option(help="base branch")] = None,
    branch: Annotated[str | None, typer.Option(help="branch to push")] = None,
    engine: Annotated[str | None, typer.Option(help="mini, claude-code, codex, opencode")] = None,
    model_provider: Annotated[
        str | None, typer.Option(help="openai, anthropic, google, openrouter")
    ] = None,
    model: Annotated[str | None, typer.Option(help="model name")] = None,
    callback: Annotated[str | None, typer.Option(help="address that receives the events")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="follow the task to its end")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a task: a change to a repository.

    Example: slipgate tasks create --repo=https://github.com/acme/widgets --prompt="Add /health"
    """
    agent = _given(engine=engine, modelProvider=model_provider, model=model)
    wanted: dict[str, object] = {
        "prompt": prompt,
        **_given(repoUrl=repo, continueOf=continue_of),
        **_given(baseBranch=base, branchName=branch, callbackUrl=callback),
        **({"agent": agent} if agent else {}),
    }
    with open_client() as client:
        answer = client.post("/v1/tasks", wanted)
        if watch:
            _watch(client, decode(TaskView, answer).id, as_json)
            return
    present(TaskView, answer, _print_accepted, as_json=as_json)


def _print_accepted(task: TaskView) -> None:
    out.print(f"accepted {task.id}")
    out.print(f"follow it: slipgate tasks watch {task.id}", style="dim")


@tasks.command("list")
def list_tasks(
    status: Annotated[str | None, typer.Option(help="states, separated by commas")] = None,
    flag: Annotated[str | None, typer.Option(help="code of a flag, or any")] = None,
    error: Annotated[
        str | None, typer.Option("--error-code", "--error", help="code of an error")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="provider of the sandbox")] = None,
    snapshot: Annotated[str | None, typer.Option(help="snapshot that they ask for")] = None,
    launcher: Annotated[str | None, typer.Option(help="launcher that took them")] = None,
    repo: Annotated[str | None, typer.Option(help="address of the repository")] = None,
    metadata: Metadata = None,
    created_after: Moment = None,
    created_before: Moment = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="tasks to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first.

    Example: slipgate tasks list --status=failed --limit=10
    """
    query = {
        "status": status,
        "flag": flag,
        "errorCode": error,
        "provider": provider,
        "snapshot": snapshot,
        "launcherId": launcher,
        "repoUrl": repo,
        "createdAfter": created_after,
        "createdBefore": created_before,
        "cursor": cursor,
        **{f"metadata.{name}": value for name, value in map(metadata_of, metadata or [])},
    }
    with open_client() as client:
        answer = client.get("/v1/tasks", limit=limit, **query)
    present(Page[TaskView], answer, _print_list, as_json=as_json)


def _print_list(page: Page[TaskView]) -> None:
    if page.data:
        print_table(("id", "status", "flag", "created (UTC)", "title"), map(task_row, page.data))
    else:
        note("none so far" if page.next_cursor else "no such tasks")
    if page.next_cursor:
        note(f"more: --cursor {page.next_cursor}")


@tasks.command()
def show(
    task_id: TaskId,
    include: Annotated[str | None, typer.Option(help="attempts,deliveries")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a task: its state in a sentence, then its fields.

    Example: slipgate tasks show task_01k… --include=attempts,deliveries
    """
    with open_client() as client:
        answer = client.get(task_path(task_id), include=include)
        present(WholeTaskView, answer, partial(_print_whole, client), as_json=as_json)


def _print_whole(client: Client, task: WholeTaskView) -> None:
    print_task(task, _explanation(client, task.id))
    print_included(task)


@tasks.command()
def explain(task_id: TaskId, as_json: AsJson = False) -> None:
    """Explain the state of a task: the reason, the next steps and the evidence.

    Example: slipgate tasks explain task_01k…
    """
    with open_client() as client:
        answer = client.get(f"{task_path(task_id)}/explain")
    present(ExplanationView, answer, print_explanation, as_json=as_json)


@tasks.command()
def watch(task_id: TaskId, as_json: AsJson = False) -> None:
    """Follow a task to its end; exit 1 if it does not succeed.

    Example: slipgate tasks watch task_01k…
    """
    with open_client() as client:
        _watch(client, task_id, as_json)


tasks.command()(events)


@tasks.command()
def cancel(task_id: TaskId, as_json: AsJson = False) -> None:
    """Stop a task and destroy its sandbox.

    Example: slipgate tasks cancel task_01k…
    """
    _steer(task_id, "cancel", as_json)


@tasks.command()
def retry(task_id: TaskId, as_json: AsJson = False) -> None:
    """Start another attempt of a task that has ended.

    Example: slipgate tasks retry task_01k…
    """
    _steer(task_id, "retry", as_json)


@tasks.command()
def release(
    task_id: TaskId,
    attempt: Annotated[int, typer.Option(min=1, help="the attempt whose sandbox is gone")],
    reason: Annotated[str, typer.Option(help="how you know it; kept in the history")],
    as_json: AsJson = False,
) -> None:
    """Declare a sandbox gone that no launcher can confirm (needs an ops key).

    Example: slipgate tasks release task_01k… --attempt=1 --reason="the host is gone"
    """
    _steer(task_id, f"attempts/{attempt}/release", as_json, {"reason": reason})


@tasks.command()
def purge(
    task_id: TaskId,
    reason: Annotated[str, typer.Option(help="kept in the history")],
    as_json: AsJson = False,
) -> None:
    """Remove prompt, env, log, patch and bodies of an ended task for good (needs an ops key).

    Example: slipgate tasks purge task_01k… --reason="personal data"
    """
    with open_client() as client:
        answer = client.post(f"{task_path(task_id)}/purge", {"reason": reason})
    present(TaskView, answer, _print_purged, as_json=as_json)


def _print_purged(task: TaskView) -> None:
    out.print(f"purged {task.id}: its states and events are kept, its contents are gone")


@tasks.command()
def logs(
    task_id: TaskId,
    after: Annotated[int, typer.Option(min=0, help="only after this event number")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print the agent's log.

    Example: slipgate tasks logs task_01k…
    """
    path = f"{task_path(task_id)}/logs"
    with open_client() as client:
        if as_json:
            print_document(client.get(path, after=after))
            return
        page = client.read(Page[LogChunk], path, after=after)
        if not page.data:
            note("its agent has written nothing yet")
        while page.data:
            for chunk in page.data:
                if chunk.missing:
                    note(f"({chunk.missing} bytes are missing here)")
                typer.echo(printable(chunk.chunk), nl=False)
            page = client.read(Page[LogChunk], path, after=page.next_cursor)


@tasks.command()
def patch(
    task_id: TaskId,
    attempt: Annotated[int | None, typer.Option(min=1, help="of this attempt")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the agent's changes as a diff; those of the newest attempt that has any.

    Example: slipgate tasks patch task_01k… | git apply
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


def _steer(task_id: str, verb: str, as_json: bool, body: dict[str, str] | None = None) -> None:
    with open_client() as client:
        answer = client.post(f"{task_path(task_id)}/{verb}", body)
        if as_json:
            print_document(answer)
        else:
            out.print(one_line(_explanation(client, task_id).summary))


def _watch(client: Client, task_id: str, as_json: bool) -> None:
    if not as_json:
        out.print(one_line(_explanation(client, task_id).summary), style="dim")
    try:
        for page in client.feed(f"{task_path(task_id)}/events", task_id):
            for event in decode_events(page):
                if not as_json and event.type not in FREQUENT:
                    out.print(event_line(event))
    except KeyboardInterrupt as exc:
        raise CommandFailed(
            "Stopped watching; the task goes on.",
            f"Run `slipgate tasks watch {task_id}` to watch on, `slipgate tasks cancel {task_id}` "
            "to stop it.",
        ) from exc
    answer = client.get(task_path(task_id))
    task = decode(TaskView, answer)
    if as_json:
        print_document(answer)
    else:
        print_task(task, _explanation(client, task_id))
    if task.status not in SUCCESSFUL:
        raise CommandFailed(
            f"The task ended {task.status}.",
            f"Run `slipgate tasks explain {task.id}` for the reason, `slipgate tasks logs "
            f"{task.id}` for the agent's log, `slipgate tasks retry {task.id}` to try it again.",
        )


def _explanation(client: Client, task_id: str) -> ExplanationView:
    return client.read(ExplanationView, f"{task_path(task_id)}/explain")


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
