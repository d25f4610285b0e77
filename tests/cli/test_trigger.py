"""`slipgate trigger`: every type arrives in the form of the real one, signed as by a gateway."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import standardwebhooks

from gateway.cli.main import main
from gateway.domain.tasks.event import ABOUT_ENDPOINTS, ABOUT_OPERATIONS, FACTS
from gateway.web.deliveries.fixtures import fixture
from gateway.wire.endpoints import AlertNotice, EndpointNotice
from gateway.wire.tasks import Notice
from gateway.wire.workspace import FlatEvent

SECRET = f"whsec_{'A' * 32}"
VERCEL = b"<!doctype html><title>Authentication Required</title>"


class App(ThreadingHTTPServer):
    """An application that verifies with the reference library."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/hook"


class _Handler(BaseHTTPRequestHandler):
    server: App  # type: ignore[mutable-override]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/page":
            self.answer(200, b"<!DOCTYPE html><title>Welcome</title>")
            return
        if self.path == "/protected":
            self.answer(401, VERCEL, server="Vercel")
            return
        try:
            message = standardwebhooks.Webhook(SECRET).verify(body, dict(self.headers.items()))
        except standardwebhooks.WebhookVerificationError:
            self.answer(401, b"bad signature")
            return
        self.server.taken.append({"id": self.headers["webhook-id"], "body": message})
        self.answer(200, b"thanks")

    def answer(self, status: int, body: bytes, server: str = "app") -> None:
        self.send_response_only(status)
        self.send_header("server", server)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The test reads what was taken."""


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[App]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", SECRET)
    with App() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_every_type_is_taken_and_has_the_form_of_the_real_one(app: App) -> None:
    for kind in FACTS:
        assert main(["trigger", kind, f"--to={app.url}"]) == 0
    assert [each["body"]["type"] for each in app.taken] == list(FACTS)
    for each in app.taken:
        assert each["id"] == each["body"]["data"]["event"]["id"]
        kind = each["body"]["type"]
        form: type = EndpointNotice if kind in ABOUT_ENDPOINTS else Notice
        form = AlertNotice if kind in ABOUT_OPERATIONS else form
        msgspec.json.decode(msgspec.json.encode(each["body"]), type=form)
    by_type = {each["body"]["type"]: each["body"]["data"] for each in app.taken}
    for status in ("completed", "needs_review", "failed", "timed_out", "cancelled", "expired"):
        assert by_type[f"task.{status}"]["task"]["status"] == status
    assert by_type["task.retried"]["task"]["attempt"] == 2
    assert by_type["task.pr_created"]["task"]["prUrl"].startswith("https://github.com/")


def test_every_flat_form_is_taken(app: App) -> None:
    flat = [kind for kind in FACTS if fixture(kind, now=1, random_bits=1, flat="t-1") is not None]
    assert len(flat) > 8
    for kind in flat:
        assert main(["trigger", kind, "--flat", f"--to={app.url}"]) == 0
    for each in app.taken:
        assert msgspec.convert(each["body"], FlatEvent).task_id == "task-1"


def test_values_are_set(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ("data.task.metadata.userId=u_2", "data.task.usage.turns=9", "data.task.title=null")
    words = [f"--set={change}" for change in changes]
    assert main(["trigger", "task.failed", f"--to={app.url}", "--json", *words]) == 0
    (taken,) = app.taken
    shown = msgspec.json.decode(capsys.readouterr().out)
    assert shown["body"] == taken["body"]
    task = taken["body"]["data"]["task"]
    assert (task["metadata"], task["usage"]["turns"], task["title"]) == ({"userId": "u_2"}, 9, None)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["task.dances"], 2, "is no type of events"),
        (["task.log", "--flat"], 2, "has no flat form"),
        (["task.log", "--set=data.nothing.x=1"], 2, "nothing in the webhook is at data.nothing.x"),
        (["task.log", "--set=data"], 2, "is not PATH=VALUE"),
        (["task.log", "--to=app.example"], 2, "expected an address such as"),
        (["task.log", "--to=http://127.0.0.1:1/"], 1, "nothing listens at its address"),
    ],
    ids=["type", "flat", "no such path", "no value", "address", "nobody"],
)
def test_what_cannot_be_sent_is_told(
    words: list[str], code: int, message: str, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trigger", *words]) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert not app.taken


def test_a_refusal_ends_with_one_and_tells_how_to_mend_it(
    app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    protected = app.url.replace("/api/hook", "/protected")
    assert main(["trigger", "task.completed", f"--to={protected}"]) == 1
    told = capsys.readouterr()
    assert "401 (deployment_protection)" in told.out
    assert "x-vercel-protection-bypass" in told.err
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", f"whsec_{'B' * 32}")
    assert main(["trigger", "task.completed", f"--to={app.url}"]) == 1
    told = capsys.readouterr()
    assert "bad signature" in told.out
    assert "SLIPGATE_WEBHOOK_SECRET in its .env.local" in told.err
    assert app.url in told.err
    assert main(["trigger", "task.completed", f"--to={app.url.replace('/api/hook', '/page')}"]) == 0
    assert "a page answered" in capsys.readouterr().err


def test_types_are_listed(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trigger", "--json"]) == 0
    listed = msgspec.json.decode(capsys.readouterr().out)
    assert [each["type"] for each in listed] == list(FACTS)
    assert main(["trigger"]) == 0
    assert "A piece of the agent's log" in capsys.readouterr().out
    assert not app.taken
