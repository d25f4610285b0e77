"""Files of environment variables: those of `--env-file`, or those of `slipgate init` here."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from dotenv import dotenv_values

from gateway.cli.console.terminal import note

GATEWAY_FILE: Final = Path(".env.gateway")
LAUNCHER_FILE: Final = Path(".env.launcher")
FRONTEND_FILE: Final = Path(".env.frontend")
OF_PROGRAMS: Final = (GATEWAY_FILE, LAUNCHER_FILE)
"""Files of `slipgate init` that `up` and `dev` read by themselves."""
EnvFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="settings as NAME=value lines; the environment wins; several",
    ),
]


def with_files(environ: Mapping[str, str], files: Sequence[Path] | None) -> dict[str, str]:
    """The environment with the variables of the files that it does not set; of two files the first
    one wins. Without any, those of `slipgate init` in this folder."""
    chosen = files or [file for file in OF_PROGRAMS if is_private(file)]
    if chosen and not files:
        note(f"settings of {' and '.join(map(str, chosen))} are used")
    found = dict(environ)
    for file in chosen:
        found = {**read_env_file(file), **found}
    return found


def load(files: Sequence[Path] | None) -> None:
    """Puts the variables of the files into the environment of this process."""
    if files:
        os.environ.update(with_files(os.environ, files))


def read_env_file(file: Path) -> dict[str, str]:
    """The variables of a file; none if it is not there. A `$` stays what it is."""
    values = dotenv_values(file, interpolate=False, encoding="utf-8")
    return {name: value for name, value in values.items() if value is not None}


def is_private(file: Path) -> bool:
    """True if it is this user's and nobody else can read it: one that came with a clone or an
    archive must not choose where keys are sent."""
    try:
        status = file.stat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077
