"""The files of `slipgate init`: existing values stay, and nobody else can read them."""

import os
import re
import subprocess
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.cli.console.output import CommandFailed
from gateway.cli.local.env_files import read_env_file

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.,:/@%+=?&~-]*")
"""Values that docker, systemd and dotenv all read as they stand."""


def write_env_file(
    file: Path, values: Mapping[str, str], heading: str, *, wins: Container[str] = ()
) -> list[str]:
    """Adds the variables that the file lacks, or has empty, and replaces those that win over it;
    returns the names of those that it changed.

    Raises:
        CommandFailed: a value cannot stand in such a file.
    """
    existing = {name: value for name, value in read_env_file(file).items() if value}
    added = {
        name: value
        for name, value in values.items()
        if value and value != existing.get(name) and (name not in existing or name in wins)
    }
    text = file.read_text("utf-8") if file.exists() else f"# {heading}\n"
    kept = [line for line in text.splitlines() if _name(line) not in added]
    lines = [*kept, *(f"{name}={_value(name, value)}" for name, value in added.items())]
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    draft.rename(file)
    return list(added)


def _name(line: str) -> str:
    return line.partition("=")[0].strip().removeprefix("export ").strip()


def _value(name: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" in value or not value.isprintable():
        raise CommandFailed(
            f"{name} holds a quote or a line break, which no file of variables can hold.",
            f"Set {name} in the environment of the program instead.",
        )
    return f"'{value}'"


def ignore(files: Sequence[Path]) -> bool:
    """Adds the files to `.gitignore` where git would take them; False: this is no work tree."""
    command = ("git", "check-ignore", "--no-index", "--", *map(str, files))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return False  # there is no git
    if done.returncode not in (0, 1):
        return False
    ignored = done.stdout.splitlines()
    missing = [str(file) for file in files if str(file) not in ignored]
    if missing:
        target = Path(".gitignore")
        text = target.read_text("utf-8") if target.exists() else ""
        begin = text if not text or text.endswith("\n") else f"{text}\n"
        target.write_text(begin + "".join(f"/{name}\n" for name in missing), "utf-8")
    return True
