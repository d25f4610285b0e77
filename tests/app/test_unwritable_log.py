"""A log that cannot be written: the program goes on, counts what it dropped, and ends in order."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.cli.local.processes import GATEWAY
from gateway.cli.operations.minting import mint
from tests.app.processes import environ
from tests.forks.programs import slipgate
from tests.ports import reserved_port

PATIENCE: Final = 60
F_SETPIPE_SZ: Final = 1031
"""Of Linux: how much a pipe holds."""


@contextmanager
def gateway(
    folder: Path, log: int, program: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client, str]]:
    """A gateway whose log goes there; without a program a fork."""
    with reserved_port() as port:
        settings = environ(folder, port)
        key = mint(settings, "read", "default", "test").key
        process = subprocess.Popen(program or (slipgate(), "gateway"), env=settings, stderr=log)
        url = f"http://127.0.0.1:{port}"
        transport = httpx.HTTPTransport(retries=8)
        try:
            with httpx.Client(base_url=url, transport=transport, timeout=PATIENCE) as http:
                yield process, http, key
        finally:
            process.kill()
            process.wait(PATIENCE)


def goes_on(process: subprocess.Popen[bytes], http: httpx.Client, key: str) -> None:
    """It answers, says how much it dropped, and ends with exit code 0."""
    bearer = {"authorization": f"Bearer {key}"}
    for _ in range(50):
        assert http.get("/v1/tasks", headers=bearer).status_code == 200
    assert http.get("/healthz").status_code == 200
    ready = http.get("/readyz")
    assert ready.status_code == 200
    dropped = int(ready.text.partition("logDropped: ")[2])
    assert dropped >= 50
    metrics = http.get("/metrics", headers=bearer).text
    (line,) = [
        one for one in metrics.splitlines() if one.startswith("slipgate_log_lines_dropped_t")
    ]
    assert float(line.split()[1]) >= dropped
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_the_disk_of_the_log_is_full(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, gateway(tmp_path, full.fileno()) as running:
        goes_on(*running)


def test_the_reader_of_the_log_has_gone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with gateway(tmp_path, writer) as running:
            goes_on(*running)
    finally:
        os.close(writer)


@pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a pipe")
def test_the_reader_of_the_log_has_hung(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4_096)
    try:
        with gateway(tmp_path, writer, GATEWAY) as running:
            process, http, key = running
            for _ in range(50):
                http.get("/v1/tasks")
            goes_on(process, http, key)
    finally:
        os.close(reader)
        os.close(writer)


ENDS: Final = """
import sys, structlog
from gateway.wire.logs import open_logs
open_logs(sys.argv[1])
for number in range(1_000):
    structlog.get_logger().warning("job", number=number, text="x" * 5_000)
sys.stderr.write("that is why\\n")
if sys.argv[2] == "raise":
    raise ValueError("broken")
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("form", "end", "code"), [("json", "0", 0), ("json", "7", 7), ("console", "raise", 1)]
)
def test_a_program_whose_log_nobody_reads_ends_with_its_own_exit_code(
    form: str, end: str, code: int
) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", ENDS, form, end]
        done = subprocess.run(command, stderr=full, timeout=PATIENCE, check=False)
    assert done.returncode == code
