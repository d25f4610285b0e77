"""The output of a command: words that a terminal cannot take amiss, or one JSON document."""

from typing import Annotated

import msgspec
import typer

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


def plain(text: str) -> str:
    """One line without control characters: other people's words must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def legible(text: str) -> str:
    """The same for text of many lines; what is no letter, line break or tab is left out."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
