"""`slipgate tasks list` and `top`: tasks as a table, once or again and again, or counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.console.live import redraw
from gateway.cli.console.output import AsJson, one_line, print_document
from gateway.cli.console.terminal import note, print_table, print_wide, table_of, width_of_terminal
from gateway.cli.console.times import age, now, until
from gateway.cli.http.client import Client, open_client
from gateway.cli.tasks.fields import given_fields
from gateway.domain.tasks.task import TERMINAL, Status
from gateway.wire.operations import StatusView
from gateway.wire.tasks import Page, TaskView

CountBy = Literal["status", "errorCode", "flag", "repoUrl"]
Query = Mapping[str, str | None]
TITLE: Final = 60
"""Characters of a title in a list."""
_MOST: Final = 200
"""Tasks of a page."""
_LEAST: Final = 8
"""Columns that a repository and a title have, however narrow the terminal is."""
_GAP: Final = 2
LIVING: Final = ",".join(sorted(set(Status) - TERMINAL))


def list_tasks(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="tasks to show")] = 50,
    cursor: Annotated[str | None, typer.Option(help="nextCursor of the page before")] = None,
    every: Annotated[bool, typer.Option("--all", help="all pages, not one")] = False,
    count_by: Annotated[
        CountBy | None, typer.Option(help="count all tasks instead of listing them")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="show it again every 2 s")] = False,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first.

    Example: slipgate tasks list --status=failed --limit=10

    Example: slipgate tasks list --status=failed --count-by=errorCode
    """
    given = given_fields(context)
    metadata = {f"metadata.{name}": text for name, text in given.pop("metadata", {}).items()}
    query: Query = {**given, **metadata, "cursor": cursor}
    with open_client() as client:
        if count_by:
            _print_counts(_counts(client, query, count_by), count_by, as_json)
        elif watch:
            redraw(lambda: client.retrying(lambda: _watched(client, query, limit)))
        elif every:
            _print_all(client, query, as_json)
        elif as_json:
            print_document(client.get("/v1/tasks", limit=limit, **query))
        else:
            _print_page(_page(client, query, limit))


def top() -> None:
    """Watch the tasks that are queued, launching or running, until Ctrl-C.

    Example: slipgate top

    Example: slipgate top --profile=production
    """
    with open_client() as client:
        redraw(lambda: client.retrying(lambda: _overview(client)))


def _watched(client: Client, query: Query, limit: int) -> Table:
    return table_of_tasks(_page(client, query, limit), width_of_terminal())


def _overview(client: Client) -> RenderableType:
    page = _page(client, {"status": LIVING}, _MOST)
    strip = client.read(StatusView, "/v1/status").strip
    counts = (
        f"queued {strip.queued}  launching {strip.launching}  running {strip.running}  "
        f"ended in an hour {strip.ended_last_hour}  launchers {strip.launchers_live}"
    )
    cost = sum(task.usage.cost_usd for task in page.data)
    table = table_of_living(page, width_of_terminal())
    return Group(Text(f"{counts}  {cost:.2f} USD", style="bold"), table)


def table_of_living(page: Page[TaskView], width: int) -> Table:
    """The tasks and their work, which is cut to the columns that the rest leaves."""
    at = now()
    names = ("id", "status", "age", "turn", "USD", "next", "does")
    rows = [_living_row(task, at) for task in page.data]
    left = max(_LEAST, width - sum(_widths(names, rows)[:-1]) - _GAP * (len(names) - 1))
    return table_of(names, ((*row[:-1], row[-1][:left]) for row in rows))


def _widths(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[int]:
    """The longest text of each column."""
    return [max(map(len, column)) for column in zip(names, *rows, strict=True)]


def _living_row(task: TaskView, at: int) -> tuple[str, ...]:
    due = until(task.next_deadline.at, at)[1] if task.next_deadline else ""
    does = ": ".join(filter(None, (task.stage, task.message))) or task.title
    turn, cost = str(task.usage.turns or ""), f"{task.usage.cost_usd:.2f}"
    age_of = age(task.created_at, at)
    return task.id, task.status, age_of, turn, cost, due.removeprefix("in "), does


def _page(client: Client, query: Query, limit: int) -> Page[TaskView]:
    return client.read(Page[TaskView], "/v1/tasks", limit=limit, **query)


def _pages(client: Client, query: Query) -> Iterator[Page[TaskView]]:
    cursor = query.get("cursor")
    while True:
        page = _page(client, {**query, "cursor": cursor}, _MOST)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


def _counts(client: Client, query: Query, by: CountBy) -> Counter[str]:
    return Counter(_counted(task, by) for page in _pages(client, query) for task in page.data)


def _counted(task: TaskView, by: CountBy) -> str:
    if by == "errorCode":
        return task.error.code if task.error else ""
    if by == "flag":
        return task.flag.code if task.flag else ""
    return task.status if by == "status" else task.repo_url


def _print_counts(counts: Counter[str], by: CountBy, as_json: bool) -> None:
    if as_json:
        print_document({"countBy": by, "counts": dict(counts.most_common())})
        return
    print_table(("tasks", by), ((str(count), name or "-") for name, count in counts.most_common()))


def _print_all(client: Client, query: Query, as_json: bool) -> None:
    tasks = tuple(task for page in _pages(client, query) for task in page.data)
    page = Page(data=tasks, next_cursor=None)
    if as_json:
        print_document(page)
    else:
        _print_page(page)


def _print_page(page: Page[TaskView]) -> None:
    if page.data:
        print_wide(table_of_tasks(page, width_of_terminal()))
    else:
        note("none so far" if page.next_cursor else "no such tasks")
    if page.next_cursor:
        note(f"more: --cursor {page.next_cursor}, or --all")


def table_of_tasks(page: Page[TaskView], width: int) -> Table:
    """The tasks; repository and title share the columns that the rest leaves, and where these are
    few the title has them."""
    at = now()
    names = ("id", "status", "age", "code", "repository", "title")
    rows = [_task_row(task, at) for task in page.data]
    whole = _widths(names, rows)
    left = width - sum(whole[:4]) - _GAP * (len(names) - 1)
    if left < 2 * _LEAST:
        return table_of(
            (*names[:4], "title"), ((*row[:4], row[5][: max(1, left + _GAP)]) for row in rows)
        )
    repository = min(whole[4], left // 2)
    cut = ((*row[:4], row[4][:repository], row[5][: left - repository]) for row in rows)
    head = names[4] if repository >= len(names[4]) else "repo"
    return table_of((*names[:4], head, names[5]), cut)


def _task_row(task: TaskView, at: int) -> tuple[str, ...]:
    """A task as a row of the list."""
    code = task.error.code if task.error else task.flag.code if task.flag else ""
    title = one_line(task.title)[:TITLE]
    repository = short_repository(task.repo_url)
    return task.id, task.status, age(task.created_at, at), code, repository, title


def short_repository(url: str) -> str:
    """`https://github.com/acme/widgets.git` as `acme/widgets`."""
    return "/".join(url.removesuffix(".git").rstrip("/").split("/")[-2:])
