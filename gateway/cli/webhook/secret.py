"""Secrets to sign or verify with: from the environment or a file, never an argument."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.console.output import CommandFailed
from gateway.wire.signing import secret_bytes

VARIABLE: Final = "SLIPGATE_WEBHOOK_SECRET"
STDIN: Final = Path("-")
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        help=f"default: {VARIABLE}; - is stdin; separate several by commas or spaces",
    ),
]


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A signing secret: its text, and the key that the text encodes."""

    text: str
    key: bytes

    def __repr__(self) -> str:
        return "Secret(…)"

    @classmethod
    def read(cls, text: str) -> "Secret":
        """Decodes a `whsec_` secret.

        Raises:
            CommandFailed: it is none; the text is not repeated.
        """
        try:
            return cls(text=text, key=secret_bytes(text))
        except ValueError as exc:
            raise CommandFailed(
                f"This is not a webhook secret: {exc}.",
                "Copy it again, whole, from where it was shown once; or take the new one of "
                "`slipgate endpoints rotate`.",
            ) from exc


def read_secrets(file: Path | None) -> tuple[Secret, ...]:
    """The secrets in the file or the environment; two during a rotation.

    Raises:
        CommandFailed: there is none, or one is malformed.
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
        return sys.stdin.read() if file == STDIN else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise CommandFailed(
            "The secret's file is not text.", "Write a secret into it: `whsec_` and base64."
        ) from exc
