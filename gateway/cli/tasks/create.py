"""`slipgate tasks create`: a task from options, a file, or both."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import AsJson, CommandFailed
from gateway.cli.console.terminal import out
from gateway.cli.http.client import decode, open_client, present
from gateway.cli.http.errors import Rejected
from gateway.cli.tasks.fields import Body, given_fields, in_options, overlay
from gateway.cli.tasks.watch import watch_task
from gateway.wire.tasks import TaskView

STDIN: Final = "-"


def create(
    context: typer.Context,
    file: Annotated[
        str | None, typer.Option(help="the task as JSON, - is stdin; options replace its fields")
    ] = None,
    prompt_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="file with the prompt, - is stdin")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="TEXT", help="the same key makes no second task")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="follow the task to its end")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a task: a change to a repository.

    Example: slipgate tasks create --repo=https://github.com/acme/widgets --prompt="Add /health"

    Example: slipgate tasks create --file=task.json --prompt-file=- --timeout=2h < prompt.md
    """
    if file == prompt_file == STDIN:
        raise typer.BadParameter("stdin is one of the two", param_hint="--prompt-file")
    body = _read_body(file) if file else {}
    if prompt_file:
        body["prompt"] = _read(prompt_file, "--prompt-file")
    body = overlay(body, given_fields(context))
    agent = body.get("agent")
    if isinstance(agent, dict) and "command" in agent:
        agent.setdefault("engine", "command")
    if not body.get("prompt"):
        message = "give --prompt TEXT, --prompt-file FILE, or a --file that has one"
        raise typer.BadParameter(message, param_hint="--prompt")
    key = idempotency_key or str(uuid.uuid4())
    with open_client() as client:
        with _in_words_of_options():
            headers = {"idempotency-key": key}
            answer = client.call("POST", "/v1/tasks", body, headers=headers)
        if watch:
            watch_task(client, decode(TaskView, answer).id, as_json)
            return
    present(TaskView, answer, _print_accepted, as_json=as_json)


def _read_body(file: str) -> Body:
    try:
        return msgspec.json.decode(_read(file, "--file"), type=Body)
    except msgspec.MsgspecError as exc:
        message = f"{file} is not a JSON object: {exc}"
        raise typer.BadParameter(message, param_hint="--file") from exc


def _read(file: str, option: str) -> str:
    try:
        return sys.stdin.read() if file == STDIN else Path(file).read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"{file} is not UTF-8", param_hint=option) from exc


@contextmanager
def _in_words_of_options() -> Iterator[None]:
    """Names options where the gateway names fields of the message."""
    try:
        yield
    except Rejected as error:
        raise CommandFailed(
            in_options(error.message), in_options(error.next_step), problem=error.problem
        ) from error


def _print_accepted(task: TaskView) -> None:
    out.print(f"accepted {task.id}")
    out.print(f"follow it: slipgate tasks watch {task.id}", style="dim")
