"""A sign of life for work that takes long: on a terminal only, beside the result."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from gateway.cli.console.terminal import err


@contextmanager
def in_progress(text: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar and the time that has passed on stderr. It moves to and fro until the yielded
    function is called with the amount that is done and the whole."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        shown = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(shown, completed=done, total=total)
