"""`slipgate tasks …`: tasks, over HTTP."""

import sys
from typing import Annotated, Final

import typer

from gateway.cli.console.output import (
    AsJson,
    CommandFailed,
    legible,
    plain,
    print_document,
)
from gateway.cli.console.terminal import screen, trouble
from gateway.cli.http.client import (
    Client,
    decode,
    open_client,
    path_part,
)
from gateway.cli.http.replies import (
    GOOD_ENDS,
    ExplanationView,
    TaskPage,
    TaskView,
    WholeTaskView,
)
from gateway.cli.tasks.events import events
from gateway.cli.tasks.pages import (
    print_explanation,
    print_included,
    print_list,
    print_task,
)
from gateway.cli.tasks.timeline import HIDDEN, line

tasks: Final = typer.Typer(no_args_is_help=True, help="create, look at and steer tasks")

TaskId = Annotated[str, typer.Argument(metavar="ID", help="task_…")]


@tasks.command()
def create(
    repo: Annotated[str, typer.Option(help="the repository's address")],
    prompt: Annotated[str, typer.Option(help="what to do")],
    base: Annotated[str | None, typer.Option(help="base branch")] = None,
    branch: Annotated[str | None, typer.Option(help="branch to push")] = None,
    model_provider: Annotated[
        str | None, typer.Option(help="openai, anthropic, openrouter")
    ] = None,
    model: Annotated[str | None, typer.Option(help="model name")] = None,
    callback: Annotated[str | None, typer.Option(help="address that hears the events")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="follow it to its end")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a change to a repository."""
    agent = _given(modelProvider=model_provider, model=model)
    wanted = _given(
        repoUrl=repo, prompt=prompt, baseBranch=base, branchName=branch, callbackUrl=callback
    )
    with open_client() as client:
        answer = client.post("/v1/tasks", {**wanted, **({"agent": agent} if agent else {})})
        task = decode(TaskView, answer)
        if watch:
            _watch(client, task.id, as_json)
            return
    if as_json:
        print_document(answer)
    else:
        screen.print(f"accepted {task.id}", markup=False)
        screen.print(f"follow it: slipgate tasks watch {task.id}", style="dim", markup=False)


@tasks.command("list")
def list_tasks(
    status: Annotated[str | None, typer.Option(help="states, with commas between")] = None,
    flag: Annotated[str | None, typer.Option(help="a flag's code, or any")] = None,
    error: Annotated[
        str | None, typer.Option("--error-code", "--error", help="an error's code")
    ] = None,
    repo: Annotated[str | None, typer.Option(help="the repository's address")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="may be given several times")
    ] = None,
    created_after: Annotated[str | None, typer.Option(help="2026-01-31T12:00:00Z")] = None,
    created_before: Annotated[str | None, typer.Option(help="2026-01-31T12:00:00Z")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    as_json: AsJson = False,
) -> None:
    """The newest tasks."""
    query = _given(
        status=status,
        flag=flag,
        errorCode=error,
        repoUrl=repo,
        createdAfter=created_after,
        createdBefore=created_before,
        cursor=cursor,
    )
    query |= _metadata(metadata or [])
    with open_client() as client:
        answer = client.get("/v1/tasks", limit=limit, **query)
    if as_json:
        print_document(answer)
        return
    page = decode(TaskPage, answer)
    if page.data:
        print_list(page.data)
    else:
        trouble.print("none so far" if page.next_cursor else "no such tasks", style="dim")
    if page.next_cursor:
        trouble.print(f"more: --cursor {page.next_cursor}", style="dim", markup=False)


@tasks.command()
def show(
    task_id: TaskId,
    include: Annotated[str | None, typer.Option(help="attempts,deliveries")] = None,
    as_json: AsJson = False,
) -> None:
    """One task: how it stands in a sentence, then its fields."""
    with open_client() as client:
        answer = client.get(f"/v1/tasks/{path_part(task_id)}", **_given(include=include))
        if as_json:
            print_document(answer)
            return
        task = decode(WholeTaskView, answer)
        print_task(task, _explained(client, task_id))
        print_included(task)


@tasks.command()
def explain(task_id: TaskId, as_json: AsJson = False) -> None:
    """Why it stands where it stands, what happens next and when, and how we know."""
    with open_client() as client:
        answer = client.get(f"/v1/tasks/{path_part(task_id)}/explain")
    if as_json:
        print_document(answer)
    else:
        print_explanation(decode(ExplanationView, answer))


@tasks.command()
def watch(task_id: TaskId, as_json: AsJson = False) -> None:
    """Follow a task to its end; exit 1 if it ends badly."""
    with open_client() as client:
        _watch(client, task_id, as_json)


tasks.command()(events)


@tasks.command()
def cancel(task_id: TaskId, as_json: AsJson = False) -> None:
    """Stop a task and take its sandbox away."""
    _steer(task_id, "cancel", as_json)


@tasks.command()
def retry(task_id: TaskId, as_json: AsJson = False) -> None:
    """Try a task that has ended once more."""
    _steer(task_id, "retry", as_json)


@tasks.command()
def release(
    task_id: TaskId,
    attempt: Annotated[int, typer.Option(min=1, help="the attempt whose sandbox is gone")],
    reason: Annotated[str, typer.Option(help="how you know; it stands in the history")],
    as_json: AsJson = False,
) -> None:
    """Say that a sandbox is gone which nobody can confirm (needs an ops key)."""
    _steer(task_id, f"attempts/{attempt}/release", as_json, {"reason": reason})


@tasks.command()
def logs(
    task_id: TaskId,
    after: Annotated[int, typer.Option(min=0, help="only what came after")] = 0,
    as_json: AsJson = False,
) -> None:
    """The agent's log, in order."""
    with open_client() as client:
        if as_json:
            print_document(client.get(f"/v1/tasks/{path_part(task_id)}/logs", after=after))
            return
        is_empty = True
        for piece in client.log(task_id, after):
            if piece.missing:
                trouble.print(f"({piece.missing} bytes are missing here)", style="dim")
            typer.echo(legible(piece.chunk), nl=False)
            is_empty = False
    if is_empty:
        trouble.print("its agent has written nothing yet", style="dim")


@tasks.command()
def patch(
    task_id: TaskId,
    attempt: Annotated[int | None, typer.Option(min=1, help="of this attempt")] = None,
    as_json: AsJson = False,
) -> None:
    """What the agent changed, as a diff; of the newest attempt that has kept it."""
    asked = None if attempt is None else str(attempt)
    with open_client() as client:
        answer = client.get(f"/v1/tasks/{path_part(task_id)}/patch", **_given(attempt=asked))
    if as_json:
        print_document({"taskId": task_id, "patch": answer.decode("utf-8", "replace")})
    elif sys.stdout.isatty():
        typer.echo(legible(answer.decode("utf-8", "replace")), nl=False)
    else:
        typer.echo(answer, nl=False)


def _steer(task_id: str, verb: str, as_json: bool, body: dict[str, str] | None = None) -> None:
    with open_client() as client:
        answer = client.post(f"/v1/tasks/{path_part(task_id)}/{verb}", body)
        if as_json:
            print_document(answer)
        else:
            screen.print(plain(_explained(client, task_id).summary), markup=False)


def _watch(client: Client, task_id: str, as_json: bool) -> None:
    if not as_json:
        screen.print(plain(_explained(client, task_id).summary), style="dim", markup=False)
    try:
        for event in client.follow(task_id):
            if not as_json and event.type not in HIDDEN:
                screen.print(line(event))
    except KeyboardInterrupt as exc:
        raise CommandFailed(
            "Stopped watching; the task goes on.",
            f"`slipgate tasks watch {task_id}` watches on, `slipgate tasks cancel {task_id}` "
            "stops it.",
        ) from exc
    answer = client.get(f"/v1/tasks/{path_part(task_id)}")
    task = decode(TaskView, answer)
    if as_json:
        print_document(answer)
    else:
        print_task(task, _explained(client, task_id))
    if task.status not in GOOD_ENDS:
        raise CommandFailed(
            f"The task ended {task.status}.",
            f"`slipgate tasks explain {task.id}` says why, `slipgate tasks logs {task.id}` what "
            f"its agent did, `slipgate tasks retry {task.id}` tries it again.",
        )


def _explained(client: Client, task_id: str) -> ExplanationView:
    return client.read(ExplanationView, f"/v1/tasks/{path_part(task_id)}/explain")


def _metadata(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, is_pair, value = pair.partition("=")
        if not is_pair or not name:
            raise typer.BadParameter("expected NAME=VALUE", param_hint="--metadata")
        found[f"metadata.{name}"] = value
    return found


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
