"""New PostgreSQL databases: copies of one that was migrated once for all tests of a run."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import Connection

from tests.forks.programs import ROOT, server
from tests.postgres.cluster import MISSING, programs
from tests.postgres.server import TEMPLATE

EMPTY: Final = "template0"
_NUMBERS: Final = count(1)


@contextmanager
def new_database(template: str = TEMPLATE) -> Iterator[str]:
    """The URL of a database of its own; it takes 20 ms of processor time, and goes with its
    connections when the block ends."""
    with _administrator() as (admin, address):
        name = _create(admin, template)
        try:
            yield f"{address}/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def lasting_database() -> str:
    """The URL of a database that goes with the server."""
    with _administrator() as (admin, address):
        return f"{address}/{_create(admin, TEMPLATE)}"


@contextmanager
def _administrator() -> Iterator[tuple["Connection[Any]", str]]:
    if programs() is None:
        pytest.skip(MISSING)
    address = _address()
    with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
        yield admin, address


def _create(admin: "Connection[Any]", template: str) -> str:
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    # Copied as files: to write its pages to the log as well would take three times as long.
    strategy = "STRATEGY file_copy" if admin.info.server_version >= 150_000 else ""
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
    return name


def _address() -> str:
    """The server of this run of the tests, started by whoever needs it first."""
    session = server()
    known = Path(session).with_name("postgres")
    with Path(session).with_name("postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            _start(session)
    return known.read_text()


def _start(session: str) -> None:
    # Its output is a pipe that its server does not hold: it ends if that cannot be started.
    with subprocess.Popen(
        [sys.executable, "-m", "tests.postgres.server", session],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n", "the PostgreSQL server did not start"
