"""A second gateway on the file of the first, whatever it calls it; files that go while it runs."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx

from gateway.cli.local.processes import wait_until_ready
from gateway.cli.operations.minting import mint
from tests.app.processes import gateway_process
from tests.forks.children import gateway_child
from tests.ports import reserved_port

REQUEST: Final = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}
PATIENCE: Final = 60.0
"""Seconds."""


def symbolic(file: Path, folder: Path) -> Path:
    (folder / "other.db").symlink_to(file)
    return folder / "other.db"


def hard(file: Path, folder: Path) -> Path:
    (folder / "other.db").hardlink_to(file)
    return folder / "other.db"


def linked_folder(file: Path, folder: Path) -> Path:
    (folder / "other").symlink_to(file.parent, target_is_directory=True)
    return folder / "other" / file.name


def roundabout(file: Path, folder: Path) -> Path:
    return folder / ".." / file.parent.name / "." / file.name


NAMES: Final = (symbolic, hard, linked_folder, roundabout)


def test_a_second_gateway_is_refused_by_whatever_name(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    with gateway_process(first) as (running, _, settings), ExitStack() as stack:
        seconds = {}
        for named in NAMES:
            second = tmp_path / named.__name__
            second.mkdir()
            other = {
                **settings,
                "SLIPGATE_DATABASE_URL": f"sqlite:///{named(first / 's.db', second)}",
                "SLIPGATE_PORT": str(stack.enter_context(reserved_port())),
            }
            child = gateway_child(other, second / "gateway.log")
            seconds[named.__name__] = stack.enter_context(child)
        wait_until(lambda: all(child.exit_code is not None for child in seconds.values()))
        for name, child in seconds.items():
            assert child.exit_code == 1, name
            assert "Another gateway holds" in child.tail(20), name
        running.check()


def test_tasks_outlive_a_log_that_was_removed_and_a_kill(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (child, url, settings):
        key = mint(settings, "tasks", "default", "me").key
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            made = [http.post("/v1/tasks", json=REQUEST).json()["id"] for _ in range(50)]
            (tmp_path / "s.db-wal").unlink()
            answer = http.post("/v1/tasks", json=REQUEST)
            assert (answer.status_code, answer.json()["code"]) == (503, "database_replaced")
            # One look serves all who ask within a moment.
            wait_until(lambda: http.get("/readyz").status_code == 503)
            assert http.get("/healthz").status_code == 200
            assert http.get(f"/v1/tasks/{made[0]}").status_code == 503
            told = child.tail(200)
            assert "database.replaced" in told
            assert "restart the gateway" in told
            child.kill()
            child.start()
            wait_until_ready(url, child)
            assert [http.get(f"/v1/tasks/{name}").status_code for name in made] == [200] * 50


def test_a_removed_log_is_noticed_by_the_pulse_though_nobody_calls(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (child, _, _):
        (tmp_path / "s.db-wal").unlink()
        wait_until(lambda: "database.replaced" in child.tail(200))


def wait_until(holds: Callable[[], bool]) -> None:
    """A pulse is 5 s; on a busy machine it may be late."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
