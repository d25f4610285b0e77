"""`slipgate dev`: everything an app under development needs, with keys for a person."""

import os
import pty
import signal
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.cli.main import main
from tests.cli.test_up import TASK, bare
from tests.cli.test_webhook_forward import SECRET, App, Project, app, project, running
from tests.e2e.processes import end_all
from tests.forks.children import forking_slipgate
from tests.ports import reserved_port

__all__ = ("project", "running")
UNUSED = "http://127.0.0.1:1"


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, process: "subprocess.Popen[bytes]", controller: int) -> None:
        self.process = process
        self._controller = controller
        self._shown = b""
        self._changed = threading.Condition()
        # Of its own: the number of one that is closed would be that of the next terminal's.
        threading.Thread(target=self._read, args=(os.dup(controller),), daemon=True).start()

    def presses(self, key: str) -> None:
        os.write(self._controller, key.encode())

    def shows(self, text: str) -> str:
        """Waits until it has shown this; the whole of what it has shown."""
        with self._changed:
            is_there = self._changed.wait_for(lambda: text.encode() in self._shown, timeout=60)
            assert is_there, self._shown
            return self._shown.decode()

    def ends(self) -> None:
        """Waits until the program has ended by itself."""
        self.process.wait(60)

    def _read(self, controller: int) -> None:
        while True:
            try:
                found = os.read(controller, 65_536)
            except OSError:
                return os.close(controller)  # the program has ended
            with self._changed:
                self._shown += found
                self._changed.notify_all()


@contextmanager
def terminal(
    *words: str,
    folder: Path,
    environ: dict[str, str],
    exit_code: int = 0,
    stderr: int | None = None,
) -> Iterator[Terminal]:
    controller, terminal_side = pty.openpty()
    process = subprocess.Popen(
        [forking_slipgate(), *words],
        cwd=folder,
        env={**bare(), "TERM": "xterm", **environ},
        stdin=terminal_side,
        stdout=terminal_side,
        stderr=terminal_side if stderr is None else stderr,
    )
    os.close(terminal_side)
    try:
        yield Terminal(process, controller)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == exit_code
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def repeated(receiver: App, count: int) -> bool:
    return len(receiver.arrivals) >= count


def test_keys_send_the_last_one_again_and_show_bodies(project: Project) -> None:
    project.task()
    environ = {
        "SLIPGATE_URL": project.url,
        "SLIPGATE_API_KEY": project.key,
        "SLIPGATE_WEBHOOK_SECRET": SECRET,
    }
    with app() as receiver:
        words = ("dev", f"--forward={receiver.url}", "--after=0")
        with terminal(*words, folder=project.folder, environ=environ) as screen:
            count = len(receiver.taken(len(project.events())))
            screen.shows("r sends the last one again")
            assert '"taskSeq"' not in screen.shows("→ 204")
            screen.presses("b")
            screen.shows("bodies are shown")
            screen.presses("r")
            screen.shows('"taskSeq"')
        assert [each.is_duplicate for each in receiver.arrivals[count - 1 :]] == [False, True]


def test_one_event_is_sent_again_by_its_id(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.task()
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("SLIPGATE_URL", project.url)
    monkeypatch.setenv("SLIPGATE_API_KEY", project.key)
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", SECRET)
    events = [each["id"] for each in project.events()]
    with app() as receiver:
        for name in (events[0], "last"):
            assert main(["dev", f"--resend={name}", f"--forward={receiver.url}"]) == 0
        sent = [body["data"]["event"]["id"] for body in receiver.taken(2)]
    assert sent == [events[0], events[-1]]
    assert main(["dev", "--resend=evt_none", f"--forward={UNUSED}"]) == 1
    assert main(["dev", "--resend=last", f"--forward={UNUSED}"]) == 1
    told = capsys.readouterr().err
    assert "There is no event evt_none" in told
    assert "nothing listens at its address" in told


def until_failed(http: httpx.Client, task: str) -> None:
    types: list[str] = []
    after = "0"
    while "task.failed" not in types:
        page = http.get(f"/v1/tasks/{task}/events?after={after}&wait=30").raise_for_status().json()
        types += [event["type"] for event in page["data"]]
        after = page["nextCursor"]


def test_without_a_gateway_it_starts_one(tmp_path: Path) -> None:
    environ = {"SLIPGATE_LOCAL_UNCONFINED": "true"}
    with app() as receiver, reserved_port() as port:
        words = ("dev", f"--port={port}", f"--forward={receiver.url}")
        with terminal(*words, folder=tmp_path, environ=environ) as screen:
            shown = screen.shows("new ones, from now on")
            assert "Three lines for the .env.local" in shown
            profile = tomllib.loads((tmp_path / ".slipgate/connection.toml").read_text())["up"]
            headers = {"authorization": f"Bearer {profile['key']}"}
            with httpx.Client(
                base_url=profile["url"], headers=headers, trust_env=False, timeout=60
            ) as http:
                task = http.post("/v1/tasks", json=TASK).raise_for_status().json()["id"]
                # Its secret is the installation's own, which this app does not know.
                screen.shows("→ 401")
                until_failed(http, task)  # it has no key of a model
    end_all(tmp_path)
    assert not (tmp_path / ".slipgate/connection.toml").exists()
