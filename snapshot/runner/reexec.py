"""Moves the configuration out of the process's environment before anything else is run.

A launcher that can leaves it in `environment.json` of the state directory, and the file is gone
before anything else is run: then no container's settings and no process ever show it. Elsewhere
(Daytona) it comes as variables, and /proc/<pid>/environ keeps the block a program was started
with, whatever it does to its variables later, and every command of the agent runs under our own
user. So the entry starts itself anew in place with a clean environment; the variables travel
through an anonymous file that only it holds, and on to the children of that start in the same way.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

SUPERVISE: Final = "--environment"
ATTEMPT: Final = "--attempt"
AFTER_DEATH: Final = "--after-death"
MODES: Final = (SUPERVISE, ATTEMPT, AFTER_DEATH)
STATE: Final = "SLIPGATE_STATE_DIR"
FILE: Final = "environment.json"


def collected(environ: Mapping[str, str]) -> dict[str, str]:
    """Our variables, and over them those that a launcher left in the state directory."""
    return {**environ, **_taken(Path(environ[STATE]))} if environ.get(STATE) else dict(environ)


def _taken(directory: Path) -> dict[str, str]:
    """What the file says; it is there once, at the first start."""
    try:
        descriptor = os.open(directory / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return {}
    with os.fdopen(descriptor, encoding="utf-8") as file:
        (directory / FILE).unlink()
        variables: dict[str, str] = json.load(file)
    return variables


def start_anew(script: str, environ: Mapping[str, str], clean: Mapping[str, str]) -> NoReturn:
    """Become the same program with the clean environment and the real one in a file."""
    argv = arguments(script, SUPERVISE, file_of(environ))
    os.execve(sys.executable, argv, dict(clean))  # noqa: S606 - our own interpreter and script


def arguments(script: str, mode: str, descriptor: int, *more: str) -> list[str]:
    """The command line of such a start."""
    return [sys.executable, "-I", script, mode, str(descriptor), *more]


def file_of(environ: Mapping[str, str]) -> int:
    """A descriptor of the variables, for a program that is started next."""
    descriptor = _anonymous_file()
    with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as file:
        json.dump(dict(environ), file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    return descriptor


def received(argv: list[str]) -> tuple[str, dict[str, str]] | None:
    """The mode and the real environment of such a start; the file is gone after it."""
    if len(argv) < 3 or argv[1] not in MODES:
        return None
    with os.fdopen(int(argv[2]), encoding="utf-8") as file:
        environ: dict[str, str] = json.load(file)
    return argv[1], {name: _text(value) for name, value in environ.items()}


def _text(value: str) -> str:
    """A variable may hold any bytes; what is not UTF-8 could not be told to anybody."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("environment")
    import tempfile  # noqa: PLC0415 - elsewhere than on Linux; slow to load for the first start

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
