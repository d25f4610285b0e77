"""`slipgate tasks events`: what happened to a task, or to all of them, once or as it comes."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from gateway.cli.console.output import AsJson, print_document
from gateway.cli.console.terminal import screen, trouble
from gateway.cli.http.client import decode, open_client, path_part
from gateway.cli.http.replies import FeedPage
from gateway.cli.tasks.timeline import line


def events(
    task_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="task_…; without it, of every task")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, help="only those after this number")] = None,
    types: Annotated[
        str | None, typer.Option(help="without ID: such as task.*,sandbox.destroyed")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 200,
    follow: Annotated[
        bool, typer.Option("--follow", help="as they come; as JSON, one event a line")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What happened, oldest first."""
    path = "/v1/events" if task_id is None else f"/v1/tasks/{path_part(task_id)}/events"
    chosen = {} if types is None else {"types": types}
    with open_client() as client:
        if follow:
            pages = client.feed(path, task_id, after, **chosen)
            _follow(pages, after or 0, is_mixed=task_id is None, as_json=as_json)
            return
        start = {} if after is None else {"after": after}
        answer = client.get(path, limit=limit, **chosen, **start)
    if as_json:
        print_document(answer)
        return
    page = decode(FeedPage, answer)
    for event in page.events:
        screen.print(line(event, is_mixed=task_id is None))
    if len(page.data) == limit:
        trouble.print(f"there may be more: --after {page.next_cursor}", style="dim", markup=False)


def _follow(pages: Iterator[FeedPage], reached: int, *, is_mixed: bool, as_json: bool) -> None:
    """Until the task has ended, or whoever reads it has seen enough."""
    try:
        for page in pages:
            for raw, event in zip(page.data, page.events, strict=True):
                if as_json:
                    typer.echo(msgspec.json.format(bytes(raw), indent=-1))
                else:
                    screen.print(line(event, is_mixed=is_mixed))
                reached = event.seq
    except KeyboardInterrupt:
        start = f" --after {reached}" if reached else ""
        trouble.print(f"\ngo on with: --follow{start}", style="dim", markup=False)
