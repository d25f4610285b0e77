"""Secrets to sign or verify with: from the environment or a file, never an argument."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import CommandFailed
from gateway.wire.signing import secret_bytes, secret_text

VARIABLE: Final = "SLIPGATE_WEBHOOK_SECRET"
STDIN: Final = "-"
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        help=f"else {VARIABLE}; - is stdin; several secrets are separated by commas or spaces",
    ),
]


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A signing secret, and the text it came in."""

    text: str
    key: bytes

    def __repr__(self) -> str:
        return "Secret(…)"

    @classmethod
    def read(cls, text: str) -> "Secret":
        """A secret as people carry it.

        Raises:
            CommandFailed: it is none; the text is not repeated.
        """
        try:
            return cls(text=text, key=secret_bytes(text))
        except ValueError as exc:
            raise CommandFailed(
                f"The secret is none: {exc}.",
                "Copy it again, whole, from where it was shown once; or rotate it, and take the "
                "new one.",
            ) from exc

    @classmethod
    def of(cls, key: bytes) -> "Secret":
        """A secret of these bytes."""
        return cls(text=secret_text(key), key=key)


def given_secrets(file: Path | None) -> tuple[Secret, ...]:
    """The secrets that the file or the environment holds: during a rotation, two.

    Raises:
        CommandFailed: there is none, or one is of another form.
    """
    text = os.environ.get(VARIABLE, "") if file is None else _read(file)
    secrets = tuple(Secret.read(each) for each in re.split(r"[\s,]+", text) if each)
    if not secrets:
        raise CommandFailed(
            f"There is no secret: {VARIABLE} is not set."
            if file is None
            else "There is no secret in the file.",
            f"Set {VARIABLE}, or name a file with --secret-file: the callback secret of the "
            "project, an endpoint's secret, or that of an agent's attempt.",
        )
    return secrets


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == STDIN else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise CommandFailed(
            "The secret's file is not text.", "A secret is 'whsec_' and base64."
        ) from exc
