"""Executables whose work is done by a fork of a server that all tests of a run share."""

import atexit
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

ADDRESS: Final = "TESTS_FORK_SERVER"
APART: Final = {
    "tests.daytona.cli": "TESTS_FORK_SERVER_OF_CLIS",
    "tests.docker.cli": "TESTS_FORK_SERVER_OF_CLIS",
    "tests.e2e.agent": "TESTS_FORK_SERVER_OF_ATTEMPTS",
    "tests.snapshot.attempt": "TESTS_FORK_SERVER_OF_ATTEMPTS",
}
"""The address of whoever forks this module's programs: a fork costs the more the more the server
has imported, so that these have servers of their own."""
CLIENT: Final = Path(__file__).with_name("client.py")
ROOT: Final = Path(__file__).resolve().parents[2]


def program(path: Path, entry: str, *fixed: str, address: str = "") -> Path:
    """An executable that calls `module:function` with these words, in a process of its own:
    arguments, environment, working directory, streams and signals are as for any other.

    It is a fork of a process that has imported that module. If it is killed it takes its process
    group along, a moment later; SIGQUIT kills it alone, at once. `address` is that of another
    server than the one for all.
    """
    module, _, _ = entry.partition(":")
    found = address or server(APART.get(module, ADDRESS))
    run = f"run({found!r}, {entry!r}, {list(fixed)!r})"
    path.write_text(f"#!{sys.executable} -IS\n{CLIENT.read_text()}\n\n{run}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def slipgate() -> str:
    """The command line of the product."""
    return shared("slipgate", "tests.forks.command_line:main")


def attempt() -> str:
    """A program in the place of execution.sh, quick to start."""
    return shared("attempt", "tests.snapshot.attempt:main")


@cache
def shared(name: str, entry: str, *fixed: str) -> str:
    """The path of a program that many tests start, in a folder of its own: another one of the same
    name must not take its place."""
    folder = Path(tempfile.mkdtemp(dir=Path(server()).parent))
    return str(program(folder / name, entry, *fixed))


def server(variable: str = ADDRESS) -> str:
    """The address of a server of this run of the tests, started if there is none; it ends with
    the process that started it."""
    if variable not in os.environ:
        os.environ[variable] = _start("tests.forks.server")
    return os.environ[variable]


def worker(arguments: Sequence[str]) -> str:
    """The path of a Python for workers that run the tests which these arguments name."""
    address = _start("tests.forks.workers", *arguments)
    return str(
        program(Path(address).with_name("worker"), "tests.forks.workers:work", address=address)
    )


def _start(module: str, *arguments: str) -> str:
    path = Path(tempfile.mkdtemp(prefix="slipgate-forks-")) / "socket"
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(path), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    atexit.register(process.communicate)  # closes its standard input and waits
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n", "the fork server did not start"
    return str(path)
