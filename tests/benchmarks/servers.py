"""The servers under load, as real processes on free ports."""

import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli.local.processes import without_slipgate
from gateway.cli.operations.minting import mint
from tests.databases import new_database
from tests.forks.programs import ADDRESS, shared
from tests.ports import reserved_port

GATEWAY: Final = ("-m", "gateway", "gateway")
ONE_COMMIT: Final = ("-m", "tests.benchmarks.one_commit")
YARDSTICK: Final = ("-m", "tests.benchmarks.yardstick")
FLOOR: Final = ("-m", "tests.benchmarks.floor")
KEYS: Final = ("tasks", "launcher", "ops")
NEIGHBOUR: Final = "neighbour"
"""A second project."""
MASTER: Final = secrets.token_bytes(32)
STOP_SECONDS: Final = 2
"""A gateway that still waits for receivers that hang is killed then: its database goes, too."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A process that serves; a gateway comes with keys to speak to it."""

    port: int
    pid: int
    tasks_key: str = ""
    launcher_key: str = ""
    ops_key: str = ""
    neighbour_key: str = ""
    """Of the second project, for tasks."""
    started_at: float = 0.0
    """Seconds of `time.perf_counter()`."""

    def cpu_seconds(self) -> float:
        """The CPU time of all its threads (Linux)."""
        return time.clock_gettime(~self.pid << 3 | 2)  # as clock_getcpuclockid(3) makes it

    def resident_mb(self) -> float | None:
        """Its resident memory in MB; None where there is no /proc."""
        return resident_mb(self.pid)


def resident_mb(pid: int) -> float | None:
    """The resident memory of a process in MB; None where there is no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1000


@contextmanager
def yardstick() -> Iterator[Server]:
    """The endpoint that stores nothing."""
    with (
        reserved_port() as port,
        _python((*YARDSTICK, str(port)), without_slipgate()) as pid,
    ):
        yield Server(port=port, pid=pid)


@contextmanager
def floor(folder: Path) -> Iterator[Server]:
    """The endpoint that stores, and does nothing else."""
    with (
        reserved_port() as port,
        _python((*FLOOR, str(port), str(folder / "floor.db")), without_slipgate()) as pid,
    ):
        yield Server(port=port, pid=pid)


@contextmanager
def gateway(
    folder: Path,
    program: Sequence[str] = GATEWAY,
    *,
    database: str | None = None,
    is_anew: bool = False,
) -> Iterator[Server]:
    """A gateway with its own settings, on this database or one of its own in `folder`; `is_anew`:
    it is no fork in the tests either."""
    if database is None and not (folder / "slipgate.db").exists():
        new_database(folder / "slipgate.db")
    with reserved_port() as port:
        environ = _environ(database or f"sqlite:///{folder.absolute()}/slipgate.db", port)
        keys = {scope: mint(environ, scope, "default", "bench").key for scope in KEYS}
        neighbour = mint(environ, "tasks", NEIGHBOUR, "bench").key
        began = time.perf_counter()
        with _python(program, environ, is_anew=is_anew) as pid:
            yield Server(
                port=port,
                pid=pid,
                tasks_key=keys["tasks"],
                launcher_key=keys["launcher"],
                ops_key=keys["ops"],
                neighbour_key=neighbour,
                started_at=began,
            )


def _environ(database: str, port: int) -> dict[str, str]:
    return {
        **without_slipgate(),
        "SLIPGATE_DATABASE_URL": database,
        "SLIPGATE_SECRET_KEYS": f"k1:{base64.b64encode(MASTER).decode()}",
        "SLIPGATE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SLIPGATE_PORT": str(port),
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
        "SLIPGATE_LOG": "json",
    }


@contextmanager
def _python(
    program: Sequence[str], environ: Mapping[str, str], *, is_anew: bool = False
) -> Iterator[int]:
    """A process of our interpreter, by its number. A run of the tests has a server that forks it:
    42 starts cost 16 s of the processor."""
    if is_anew or ADDRESS not in os.environ:
        with running([sys.executable, *program], environ) as pid:
            yield pid
    else:
        command = [shared("benchmarked", "tests.benchmarks.forked:main"), *program]
        with _started(command, environ, subprocess.PIPE) as process:
            assert process.stdout is not None
            yield int(process.stdout.readline())


@contextmanager
def running(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[int]:
    """A process, by its number; what it prints is dropped."""
    with _started(arguments, environ, subprocess.DEVNULL) as process:
        yield process.pid


@contextmanager
def _started(
    arguments: Sequence[str], environ: Mapping[str, str], stdout: int
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        list(arguments),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
