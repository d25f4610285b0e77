"""A gateway that is told to stop: whoever still reads gets a whole answer, and it ends in time."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.app import MAX_REQUESTS, SETTLE_SECONDS
from gateway.cli.operations.minting import mint
from tests.ports import reserved_port
from tests.stores import FileDatabase
from tests.web.callers import MASTER, TASK, add_keys

PATIENCE = 60
"""Seconds until a test gives up."""
STOPS_WITHIN = 10
"""Seconds, as the README says; supervisors kill after them."""
LANDS_WITHIN = SETTLE_SECONDS + 2.5
"""Seconds, on a busy machine; 3 on a quiet one."""
COMMAND = [sys.executable, "-m", "gateway", "gateway"]


def test_open_streams_end_whole_and_the_process_ends_in_order(tmp_path: Path) -> None:
    keys = add_keys(FileDatabase(tmp_path / "slipgate.db"))
    headers = {"authorization": f"Bearer {keys['tasks']}"}
    with (
        _gateway(tmp_path) as (process, url),
        httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as http,
    ):
        task = http.post("/v1/tasks", json=TASK).json()
        path = f"/v1/tasks/{task['id']}/events"
        with http.stream("GET", path, headers={"accept": "text/event-stream"}) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("id: ")
            process.send_signal(signal.SIGTERM)
            rest = list(lines)  # raises if the stream is cut off in the middle
        assert rest[0].startswith("data: ")
        assert process.wait(PATIENCE) == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    told = [msgspec.json.decode(line) for line in log.splitlines()]
    (started,) = [line for line in told if line["event"] == "gateway.started"]
    assert started["version"] == version("slipgate")
    assert (started["database"], started["keys"]) == (str(tmp_path / "slipgate.db"), ["k1"])
    assert (started["public_url"], started["instance"][:4]) == (None, "ins_")
    assert MASTER not in log


def test_it_ends_in_time_though_receivers_hang_and_sends_the_same_again_after_the_start(
    tmp_path: Path,
) -> None:
    key = mint(_environ(tmp_path, 0), "tasks", "default", "frontend").key
    headers = {"authorization": f"Bearer {key}"}
    with (
        socket.create_server(("127.0.0.1", 0)) as receiver,
        ExitStack() as hanging,  # never answered, and closed at the end alone
    ):
        receiver.settimeout(PATIENCE)
        callback = f"http://127.0.0.1:{receiver.getsockname()[1]}/hook"
        with (
            _gateway(tmp_path, SLIPGATE_ALLOW_PRIVATE_ENDPOINTS="true") as (process, url),
            httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as http,
        ):
            http.post("/v1/tasks", json=TASK | {"callbackUrl": callback}).raise_for_status()
            first = _webhook_id(receiver, hanging)
            process.send_signal(signal.SIGTERM)
            start = time.monotonic()
            assert process.wait(STOPS_WITHIN) == 0
            took = time.monotonic() - start
            assert took < LANDS_WITHIN
        assert "Traceback" not in (tmp_path / "log").read_text()
        with _gateway(tmp_path, SLIPGATE_ALLOW_PRIVATE_ENDPOINTS="true"):
            assert _webhook_id(receiver, hanging) == first


def test_before_its_stop_it_is_not_ready_and_takes_what_still_comes(tmp_path: Path) -> None:
    keys = add_keys(FileDatabase(tmp_path / "slipgate.db"))
    headers = {"authorization": f"Bearer {keys['tasks']}"}
    with (
        _gateway(tmp_path, SLIPGATE_STOP_DELAY_SECONDS="300") as (process, url),
        httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as http,
    ):
        process.send_signal(signal.SIGTERM)
        while http.get("/readyz").status_code == httpx.codes.OK:
            pass
        refusal = http.get("/readyz").json()
        assert (refusal["code"], refusal["detail"]) == (
            "unavailable",
            "The gateway is about to stop.",
        )
        assert http.get("/healthz").status_code == httpx.codes.OK
        assert http.post("/v1/tasks", json=TASK).status_code == httpx.codes.ACCEPTED
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_broken_request_is_told_in_a_line_like_all(tmp_path: Path) -> None:
    with _gateway(tmp_path) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as caller:
            caller.sendall(b"GET /\xff HTTP/1.1\r\n\r\n")
            assert caller.recv(100).startswith(b"HTTP/1.1 400")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert any("connections.refused" in line and "invalid_http" in line for line in lines)
    assert all(line.startswith("{") for line in lines)


def test_a_gateway_whose_address_is_taken_says_so_and_touches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            COMMAND,
            env=_environ(tmp_path, port),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr.decode()
    assert "gateway.started" not in ended.stderr.decode()
    assert not (tmp_path / "slipgate.db").exists()


def _webhook_id(receiver: socket.socket, hanging: ExitStack) -> bytes:
    """That of the next request."""
    caller = hanging.enter_context(receiver.accept()[0])
    lines = hanging.enter_context(caller.makefile("rb"))
    return next(line for line in lines if line.startswith(b"webhook-id:"))


@pytest.mark.parametrize(
    ("limit", "is_enough"), [("-S -n 256", True), ("-n 1024", False)], ids=["soft", "hard"]
)
def test_it_takes_as_many_files_as_its_callers_need_or_says_that_it_cannot(
    tmp_path: Path, limit: str, is_enough: bool
) -> None:
    limited = ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *COMMAND]
    with _gateway(tmp_path, limited) as (process, _):
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard or soft >= MAX_REQUESTS
    assert ("gateway.few_files" in (tmp_path / "log").read_text()) != is_enough


@contextmanager
def _gateway(
    folder: Path, command: Sequence[str] = COMMAND, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with reserved_port() as port:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=_environ(folder, port) | settings, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(url)
            yield process, url
        finally:
            process.kill()
            process.wait(PATIENCE)


def _environ(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "SLIPGATE_DATABASE_URL": f"sqlite:///{folder}/slipgate.db",
        "SLIPGATE_SECRET_KEYS": f"k1:{MASTER}",
        "SLIPGATE_PORT": str(port),
        "SLIPGATE_LOG": "json",
    }


def _until_ready(url: str) -> None:
    end = time.monotonic() + PATIENCE
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=8)) as http:
        while http.get("/readyz").status_code != httpx.codes.OK:
            assert time.monotonic() < end, "the gateway does not get ready"
