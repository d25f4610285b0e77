"""The terminal of a person: pages, tables, and what went wrong."""

from typing import Final

from rich.console import Console
from rich.table import Table

from gateway.cli.console.output import CommandFailed

screen: Final = Console(highlight=False, soft_wrap=True)
"""stdout."""
trouble: Final = Console(stderr=True, highlight=False, soft_wrap=True)
"""stderr: why it did not work, and what to do next."""

WIDE: Final = 1_000
"""Columns of a table: more than any needs."""


def print_table(table: Table) -> None:
    """A table as wide as it has to be: who sees half an id cannot go on."""
    Console(highlight=False, width=WIDE).print(table, crop=False)


def print_failure(error: CommandFailed) -> None:
    """The reason and the way on, on stderr."""
    trouble.print(f"[bold red]{'error'}[/]: ", end="")
    trouble.print(error.message, markup=False)
    if error.next_step:
        trouble.print("[bold]next[/]:  ", end="")
        trouble.print(error.next_step, markup=False)
