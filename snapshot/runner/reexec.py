"""Moves the configuration out of the process's environment before anything else is run.

/proc/<pid>/environ keeps the variables that a program was started with, for every command of the
same user to read. So the entry executes itself anew with a clean environment; the variables reach
the new program, and its children, through an anonymous file that only they hold. A launcher that
can leaves them in `environment.json` of the state directory instead, which is deleted when read.
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
    """Our variables, overridden by those that a launcher left in the state directory."""
    if not environ.get(STATE):
        return dict(environ)
    path = Path(environ[STATE]) / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it was there at the first start
        return dict(environ)
    with os.fdopen(descriptor, encoding="utf-8") as file:
        path.unlink()
        return {**environ, **json.load(file)}


def execute_again(script: str, environ: Mapping[str, str], clean: Mapping[str, str]) -> NoReturn:
    """Become the same program with the clean environment, and the real one in a file."""
    argv = arguments(script, SUPERVISE, file_of(environ))
    os.execve(sys.executable, argv, dict(clean))  # noqa: S606 - our own interpreter and script


def arguments(script: str, mode: str, descriptor: int, *more: str) -> list[str]:
    return [sys.executable, "-I", script, mode, str(descriptor), *more]


def file_of(environ: Mapping[str, str]) -> int:
    """A descriptor of the variables, for the program that is started next."""
    descriptor = _anonymous_file()
    with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as file:
        json.dump(dict(environ), file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    return descriptor


def received(argv: list[str]) -> tuple[str, dict[str, str]] | None:
    """The mode and the real environment of such a start; None for the first one."""
    if len(argv) < 3 or argv[1] not in MODES:
        return None
    with os.fdopen(int(argv[2]), encoding="utf-8") as file:
        environ: dict[str, str] = json.load(file)
    return argv[1], {name: _utf8(value) for name, value in environ.items()}


def _utf8(value: str) -> str:
    """A variable may hold any bytes; those that are not UTF-8 could not be reported."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("environment")
    import tempfile  # noqa: PLC0415 - elsewhere than on Linux; slow to load for the first start

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
