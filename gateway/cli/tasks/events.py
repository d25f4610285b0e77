"""`slipgate tasks events`: the events of a task, or of all tasks, once or as they come."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import msgspec
import typer

from gateway.cli.console.output import AsJson, print_document
from gateway.cli.console.terminal import note, out
from gateway.cli.http.client import EventPage, decode, decode_events, open_client
from gateway.cli.http.feed import feed_end
from gateway.cli.http.paths import task_path
from gateway.cli.tasks.printing import event_line
from gateway.wire.tasks import EventView


def events(
    task_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="task_…; without it: of all tasks")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, help="only after this event number")] = None,
    types: Annotated[
        str | None, typer.Option(help="without ID: such as task.*,sandbox.destroyed")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="events to show")] = 200,
    follow: Annotated[
        bool, typer.Option("--follow", help="print events as they come; as JSON, one a line")
    ] = False,
    heartbeats: Annotated[
        bool, typer.Option("--heartbeats", help="show these, too; as JSON they always are")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show events, oldest first. Without ID and --after, --follow starts with what comes now.

    Example: slipgate tasks events --follow --types=task.*

    Example: slipgate tasks events task_01k…
    """
    path = "/v1/events" if task_id is None else f"{task_path(task_id)}/events"
    chosen = {} if types is None else {"types": types}
    line = None if as_json else partial(_print, is_mixed=task_id is None, heartbeats=heartbeats)
    with open_client() as client:
        if follow:
            if task_id is None and after is None:
                after = feed_end(client)
            _follow(client.feed(path, task_id, after, **chosen), after or 0, line)
            return
        answer = client.get(path, limit=limit, after=after, **chosen)
    if as_json:
        print_document(answer)
        return
    page = decode(EventPage, answer)
    for event in decode_events(page):
        _print(event, is_mixed=task_id is None, heartbeats=heartbeats)
    if len(page.data) == limit:
        note(f"there may be more: --after {page.next_cursor}")


def _print(event: EventView, *, is_mixed: bool, heartbeats: bool) -> None:
    if heartbeats or event.type != "task.heartbeat":
        out.print(event_line(event, with_subject=is_mixed, with_date=True))


def _follow(
    pages: Iterator[EventPage], last: int, print_event: Callable[[EventView], None] | None
) -> None:
    """Prints events until the task has ended or Ctrl-C is pressed."""
    try:
        for page in pages:
            for raw, event in zip(page.data, decode_events(page), strict=True):
                if print_event is None:
                    typer.echo(msgspec.json.format(bytes(raw), indent=-1))
                else:
                    print_event(event)
                last = event.seq
    except KeyboardInterrupt:
        note("\ngo on with: --follow" + (f" --after {last}" if last else ""))
