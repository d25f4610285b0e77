"""JSON documents, failures and text for any output; imports nothing that needs a terminal."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document on stdout")]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="start a restored backup: the gateway it was taken from is gone",
    ),
]


USAGE: Final = 2
"""The exit code of what was typed or set wrongly."""
NO_PROBLEM: Final[Mapping[str, object]] = {}


class CommandFailed(Exception):
    """The command was refused or failed; `next_step` tells the operator what to do."""

    def __init__(
        self,
        message: str,
        next_step: str,
        *,
        exit_code: int = 1,
        problem: Mapping[str, object] = NO_PROBLEM,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.exit_code = exit_code
        self.problem = problem
        """The gateway's own problem document, if it refused a request."""


def print_document(value: object) -> None:
    """Prints one JSON document; bytes are JSON already."""
    typer.echo(_formatted(value))


def print_problem(error: CommandFailed) -> None:
    """Prints a failure as JSON on stderr: stdout holds results alone."""
    problem = {"code": "failed", **error.problem, "message": error.message, "next": error.next_step}
    typer.echo(_formatted(problem), err=True)


def _formatted(value: object) -> str:
    import msgspec  # noqa: PLC0415 - 20 ms, for documents alone: `--help` needs none

    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return msgspec.json.format(raw, indent=2).decode()


def one_line(text: str) -> str:
    """The text with a space for each line break and control character."""
    return "".join(char if char.isprintable() else " " for char in text)


def printable(text: str) -> str:
    """The text without control characters, except line breaks and tabs."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")
