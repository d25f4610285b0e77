"""A sign of life for work that takes long: on a terminal only, beside the result."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.console.terminal import err


@contextmanager
def in_progress(text: str) -> Iterator[None]:
    """Shows a moving bar and the time that has passed on stderr."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        progress.add_task(text, total=None)
        yield
