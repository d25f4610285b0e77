"""The code for Next.js works as pasted, against a gateway that really signs."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.cli.operations.minting import mint
from gateway.web.operations.client import CLIENT
from gateway.wire.keys import NewKeyView
from gateway.wire.signing import secret_text, sign
from tests.app.processes import gateway_process
from tests.docs.samples import pasted
from tests.interop.node import command, environ, needs_node, project, run
from tests.interop.scripted import Answer, answering
from tests.ports import reserved_port

pytestmark: Final = needs_node()
HOOK: Final = "app/api/hook/route.ts"
BODY: Final = (
    b'{"type":"task.completed","timestamp":"2026-01-05T09:32:10.000Z","data":{"event":'
    b'{"id":"evt_1"},"task":{"id":"task_told","status":"completed","taskSeq":9,"prUrl":null}}}'
)


class App:
    """The app of the pages as a process."""

    def __init__(self, url: str, process: "subprocess.Popen[str]") -> None:
        self.url = url
        self._process = process

    def prints(self) -> str:
        """The next line that it logs."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def app(folder: Path, handler: str = HOOK, **settings: str) -> Iterator[App]:
    """A route handler, the action and the client, their types stripped, once they are served."""
    project(folder)
    sources = {
        "route": pasted(handler),
        "actions": pasted("app/actions.ts"),
        "slipgate": CLIENT.read_text("utf-8"),
    }
    for name, text in sources.items():
        here = text.replace("@/lib/slipgate", "./slipgate.mjs")
        (folder / f"{name}.mjs").write_text(run(folder, "strip.mjs", here))
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        with subprocess.Popen(
            command("serve.mjs"),
            cwd=folder,
            env={**environ(), **settings, "PORT": str(port), "APP_URL": url},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            made = App(url, process)
            try:
                assert made.prints() == "listening"
                yield made
            finally:
                process.kill()


@pytest.fixture
def key() -> bytes:
    """A secret."""
    return os.urandom(32)


def test_the_two_ends_work_against_a_gateway(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    with gateway_process(tmp_path, {"SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true"}) as (_, url, given):
        made: NewKeyView = mint(given, "tasks", "default", "app")
        settings = {
            "SLIPGATE_URL": url,
            "SLIPGATE_API_KEY": made.key,
            "SLIPGATE_WEBHOOK_SECRET": made.callback_secret or "",
        }
        with app(tmp_path / "app", **settings) as served:
            wanted = ["https://github.com/acme/widgets", "Mend it", "key-1"]
            started = [
                httpx.post(f"{served.url}/actions/startTask", json=wanted, timeout=30).json()
                for _ in range(2)
            ]
            assert started[0] == started[1]
            assert served.prints() == f"{started[0]} queued null"
            headers = {"authorization": f"Bearer {made.key}"}
            httpx.post(
                f"{url}/v1/tasks/{started[0]}/cancel", headers=headers, timeout=60
            ).raise_for_status()
            while (line := served.prints()) != f"{started[0]} cancelled null":
                assert line.startswith(started[0])


def test_the_handler_of_the_readme_starts_one_task_for_one_key(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    wanted = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it", "taskKey": "key-1"}
    with gateway_process(tmp_path, {"SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true"}) as (_, url, given):
        made: NewKeyView = mint(given, "tasks", "default", "app")
        settings = {"SLIPGATE_URL": url, "SLIPGATE_API_KEY": made.key}
        with app(tmp_path / "app", "app/api/tasks/route.ts", **settings) as served:
            started = [
                httpx.post(f"{served.url}/api/tasks", json=wanted, timeout=30) for _ in range(2)
            ]
    assert [reply.status_code for reply in started] == [202, 202]
    assert started[0].json()["id"] == started[1].json()["id"]


BUSY: Final = (503, '{"code":"unavailable","detail":"The store cannot commit.","hint":"Soon."}')
PROXY: Final = (502, "<html>502 Bad Gateway</html>")
PROXIED: Final = (
    "UnexpectedResponseError: HTTP 502, no content type: no answer of a gateway. "
    "Is SLIPGATE_URL its address? <html>502 Bad Gateway</html>"
)
WRONG: Final = (
    422,
    """{"code":"invalid_request","detail":"The request is not valid.",
    "errors":[{"path":"$.repoUrl","message":"must be https"}]}""",
)


@pytest.mark.parametrize(
    ("answers", "status", "words"),
    [
        pytest.param([BUSY, (202, '{"id":"task_1"}')], 200, '"task_1"', id="busy for a moment"),
        pytest.param([PROXY] * 4, 500, PROXIED, id="a proxy without a gateway"),
        pytest.param(
            [WRONG],
            500,
            "InvalidRequestError: 422 invalid_request: The request is not valid. "
            "$.repoUrl: must be https.",
            id="a field is wrong",
        ),
    ],
)
def test_the_action_asks_again_what_may_pass_and_says_what_does_not(
    tmp_path: Path, answers: list[Answer], status: int, words: str
) -> None:
    settings = {"SLIPGATE_API_KEY": "slip_tasks_x"}
    with (
        answering(answers) as upstream,
        app(tmp_path, SLIPGATE_URL=upstream.url, **settings) as served,
    ):
        wanted = ["http://github.com/acme/widgets", "Mend it", "key-1"]
        reply = httpx.post(f"{served.url}/actions/startTask", json=wanted, timeout=30)
        assert (reply.status_code, reply.text) == (status, words)
        assert upstream.answers == []
        assert upstream.keys == ["key-1"] * len(answers)


def test_it_refuses_what_is_not_signed_and_takes_the_rest_once(tmp_path: Path, key: bytes) -> None:
    now = int(time.time())
    signed = {"webhook-id": "evt_1", "webhook-timestamp": str(now)}
    right = {**signed, "webhook-signature": sign(key, "evt_1", now, BODY)}
    wrong = {**signed, "webhook-signature": sign(b"x" * 32, "evt_1", now, BODY)}
    # Nobody answers at its gateway: then the task is as it was told.
    settings = {"SLIPGATE_URL": "http://127.0.0.1:9", "SLIPGATE_WEBHOOK_SECRET": secret_text(key)}
    with app(tmp_path, **settings) as served, httpx.Client(trust_env=False, timeout=60) as http:
        hook = f"{served.url}/api/hook"
        statuses = [
            http.post(hook, content=BODY, headers=headers).status_code
            for headers in (wrong, {}, right, right)
        ]
        statuses.append(http.post(hook, content=BODY + b" ", headers=right).status_code)
        assert statuses == [401, 401, 204, 204, 401]
        later = {**signed, "webhook-id": "evt_2"}
        later["webhook-signature"] = sign(key, "evt_2", now, BODY)
        assert http.post(hook, content=BODY, headers=later).status_code == 204
        assert [served.prints() for _ in range(2)] == ["task_told completed null"] * 2
