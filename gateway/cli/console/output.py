"""JSON documents, failures and text for any output; imports nothing that needs a terminal."""

from typing import Annotated

import msgspec
import typer

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="start a restored backup: the gateway it was taken from is gone",
    ),
]


class CommandFailed(Exception):
    """The command was refused or failed; `next_step` tells the operator what to do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


def print_document(value: object) -> None:
    """Prints one JSON document; bytes are JSON already."""
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    typer.echo(msgspec.json.format(raw, indent=2).decode())


def one_line(text: str) -> str:
    """The text with a space for each line break and control character."""
    return "".join(char if char.isprintable() else " " for char in text)


def printable(text: str) -> str:
    """The text without control characters, except line breaks and tabs."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")
