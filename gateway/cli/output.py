"""What a command prints: a page for people, or one JSON document for scripts."""

from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

screen: Final = Console(highlight=False, soft_wrap=True)
"""stdout, for people."""
trouble: Final = Console(stderr=True, highlight=False, soft_wrap=True)
"""stderr: why it did not work, and what to do next."""

WIDE: Final = 1_000
"""Columns of a table: more than any needs."""

AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="a restored backup keeps its instance: the gateway it was taken from is gone",
    ),
]


class CommandFailed(Exception):
    """The command was refused or failed; `next_step` says what to do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


def print_document(value: object) -> None:
    """One JSON document on stdout; bytes are one already."""
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    typer.echo(msgspec.json.format(raw, indent=2).decode())


def print_table(table: Table) -> None:
    """A table as wide as it has to be: who sees half an id cannot go on."""
    Console(highlight=False, width=WIDE).print(table, crop=False)


def plain(text: str) -> str:
    """One line without control characters: other people's words must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def legible(text: str) -> str:
    """The same for text of many lines; what is no letter, line break or tab is left out."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")


def print_failure(error: CommandFailed) -> None:
    """The reason and the way on, on stderr."""
    trouble.print(f"[bold red]{'error'}[/]: ", end="")
    trouble.print(error.message, markup=False)
    if error.next_step:
        trouble.print("[bold]next[/]:  ", end="")
        trouble.print(error.next_step, markup=False)
