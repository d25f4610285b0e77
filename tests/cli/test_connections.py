"""The command line's connections: private authorities, and no foreign variable that ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from gateway.cli.http.client import open_client
from tests.forks.programs import slipgate
from tests.loops.tls import Authority
from tests.snapshot.http_stub import HttpStub, Response

KEY = f"slip_tasks_{'a' * 43}"
EMPTY = Response(content={"data": [], "nextCursor": None})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that nobody knows by itself."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def gateway(authority: Authority) -> Iterator[HttpStub]:
    """A gateway without tasks, behind TLS of its own."""
    stub = HttpStub(lambda _: EMPTY, tls=authority.context("127.0.0.1"))
    yield stub
    stub.stop()


def listed(url: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """`slipgate tasks list`."""
    settings = {"PATH": os.defpath, "SLIPGATE_URL": url, "SLIPGATE_API_KEY": KEY}
    return subprocess.run(
        [slipgate(), "tasks", "list"],
        env={**settings, **environ},
        capture_output=True,
        check=False,
    )


def test_a_private_authority_is_believed(
    gateway: HttpStub, authority: Authority, tmp_path: Path
) -> None:
    bundle = tmp_path / "authority.pem"
    bundle.write_text(authority.text)
    done = listed(gateway.url, SSL_CERT_FILE=str(bundle))
    assert done.returncode == 0, done.stderr


def test_one_that_cannot_be_read_is_named_beside_the_failure(gateway: HttpStub) -> None:
    done = listed(gateway.url, SSL_CERT_FILE="/nonexistent")
    assert done.returncode == 1
    assert b"SSL_CERT_FILE is left out" in done.stderr
    assert b"Traceback" not in done.stderr


def test_no_foreign_variable_ends_it() -> None:
    stub = HttpStub(lambda _: EMPTY)
    foreign = {
        "SSLKEYLOGFILE": "/nonexistent/keys",
        "SSL_CERT_FILE": "/nonexistent",
        "OPENSSL_CONF": "/nonexistent",
        "NO_PROXY": "fd07:b51a:cc66:f0::/64",
        "ALL_PROXY": "socks5h://127.0.0.1:1",
        "HTTP_PROXY": "http://[",
        "NETRC": "/nonexistent",
        "LC_ALL": "nonsense",
        "PYTHONIOENCODING": "ascii",
        "COLUMNS": "nonsense",
        "TERM": "nonsense",
    }
    done = listed(stub.url, **foreign)
    stub.stop()
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_a_call_that_has_just_taken_the_lock_of_its_connections() -> None:
    stub = HttpStub(lambda _: EMPTY)
    taken: list[str] = []

    def interrupt(frame: FrameType, event: str, function: object) -> None:
        name = getattr(function, "__qualname__", "")
        if not taken and event == "c_return" and name == "lock.acquire":
            taken.append(frame.f_code.co_filename)
            signal.raise_signal(signal.SIGINT)

    environ = {"SLIPGATE_URL": stub.url, "SLIPGATE_API_KEY": KEY}

    def get() -> None:
        with open_client(environ) as client:
            sys.setprofile(interrupt)
            client.get("/v1/tasks")

    try:
        with pytest.raises(KeyboardInterrupt):
            get()
    finally:
        sys.setprofile(None)
        stub.stop()
    assert "httpcore" in taken[0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
