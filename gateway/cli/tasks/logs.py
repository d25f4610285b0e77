"""`slipgate tasks logs`: the log of a task's agent, once or as it is written."""

from functools import partial
from typing import Annotated

import msgspec
import typer

from gateway.cli.console.output import AsJson, print_document, printable
from gateway.cli.console.terminal import note
from gateway.cli.http.client import Client, open_client
from gateway.cli.http.paths import TaskId, task_path
from gateway.wire.tasks import LogChunk, Page


def logs(
    task_id: TaskId,
    after: Annotated[int, typer.Option(min=0, help="only after this event number")] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="print it as it is written, to the task's end")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the agent's log.

    Example: slipgate tasks logs task_01k…

    Example: slipgate tasks logs task_01k… --follow
    """
    path = f"{task_path(task_id)}/logs"
    with open_client() as client:
        if as_json and not follow:
            print_document(client.get(path, after=after))
            return
        last = _print_from(client, path, after, as_json)
        if follow:
            _follow(client, task_id, last, as_json)
        elif last == after:
            note("its agent has written nothing yet")


def _follow(client: Client, task_id: str, after: int, as_json: bool) -> None:
    """Prints what is new whenever the task has an event: the feed waits, and outlasts a gateway."""
    path = task_path(task_id)
    try:
        for _ in client.feed(f"{path}/events", task_id, after or None):
            after = _print_from(client, f"{path}/logs", after, as_json)
    except KeyboardInterrupt:
        note(f"\ngo on with: slipgate tasks logs {task_id} --follow --after {after}")


def _print_from(client: Client, path: str, after: int, as_json: bool) -> int:
    """Prints all chunks behind an event; returns the number of the last one."""
    while True:
        page = client.retrying(partial(client.read, Page[LogChunk], path, after=after))
        for chunk in page.data:
            _print_chunk(chunk, as_json)
        if not page.data or page.next_cursor is None:
            return after
        after = int(page.next_cursor)


def _print_chunk(chunk: LogChunk, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(chunk))
        return
    if chunk.missing:
        note(f"({chunk.missing} bytes are missing here)")
    typer.echo(printable(chunk.chunk), nl=False)
