"""`slipgate tasks watch` as a process: it outlasts a gateway, and leaves a task alone."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.cli.local.processes import wait_until_ready
from gateway.cli.operations.minting import mint
from tests.app.processes import gateway_process
from tests.cli.test_dev import terminal
from tests.forks.programs import slipgate

TASK = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}


@contextmanager
def _watching(url: str, key: str, task: str) -> Iterator[subprocess.Popen[str]]:
    """The process, once it has printed its first line."""
    environ = {**os.environ, "SLIPGATE_URL": url, "SLIPGATE_API_KEY": key}
    with subprocess.Popen(
        [slipgate(), "tasks", "watch", task],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(f"{task}: queued since ")
            assert "created" in process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_watching_outlasts_a_gateway_that_is_started_again(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (child, url, environ):
        key = mint(environ, "tasks", "default", "test").key
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            task = http.post("/v1/tasks", json=TASK).json()["id"]
            with terminal(
                *("tasks", "watch", task),
                folder=tmp_path,
                environ={"SLIPGATE_URL": url, "SLIPGATE_API_KEY": key},
                exit_code=1,
                stderr=subprocess.PIPE,
            ) as screen:
                screen.shows("created")
                child.kill()
                screen.shows("Waiting for it")  # above the header, which is drawn over stderr
                child.start()
                wait_until_ready(url, child)
                http.post(f"/v1/tasks/{task}/cancel").raise_for_status()
                screen.ends()
                shown = screen.shows("cancel requested")
                assert screen.process.stderr is not None
                with screen.process.stderr as stderr:
                    err = stderr.read().decode()
    assert f"{task}: queued since " in shown
    assert "The task ended cancelled." in err


def test_an_interrupt_leaves_the_task_alone_and_says_so(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (_, url, environ):
        key = mint(environ, "tasks", "default", "test").key
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            task = http.post("/v1/tasks", json=TASK).json()["id"]
            with _watching(url, key, task) as process:
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "the task goes on" in err
            assert f"slipgate tasks cancel {task}" in err
            assert http.get(f"/v1/tasks/{task}").json()["status"] == "queued"
