"""`slipgate webhook listen --forward-to`: the feed reaches an app in order, once, over restarts."""

import signal
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.client import Client
from gateway.cli.http.connection import Connection
from gateway.cli.local.processes import wait_until_ready
from gateway.cli.operations.minting import mint
from gateway.cli.webhook.forwarder import ForwardAttempt, Forwarder, is_same_feed
from gateway.cli.webhook.progress import Progress, WebhookMessage
from gateway.cli.webhook.receiver import Arrival, Fault, Inbox, Receiver
from gateway.cli.webhook.secret import Secret
from gateway.wire.signing import secret_text
from tests.app.processes import gateway_process
from tests.cli.listening import Listening, listening

Json = dict[str, Any]
TASK: Final = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}
SECRET: Final = secret_text(b"f" * 32)
HERE = Connection(url="http://gate", key="k")


class App:
    """An app on this machine that takes webhooks."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.arrivals: list[Arrival] = []
        self._changed = threading.Condition()
        inbox = Inbox([Secret.read(SECRET)], fault=fault, clock=time.time)
        self.server = Receiver(0, inbox, self._note, note=print, delay=0)
        self.url = f"{self.server.url}/api/hook"

    def _note(self, arrival: Arrival) -> None:
        with self._changed:
            self.arrivals.append(arrival)
            self._changed.notify_all()

    def taken(self, count: int) -> list[Json]:
        """The first so many bodies that it has answered with success, in their order."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._bodies()) >= count, timeout=60)
            return [msgspec.json.decode(body) for body in self._bodies()]

    def _bodies(self) -> list[bytes]:
        return [one.body for one in self.arrivals if one.answered == 204 and not one.is_duplicate]


@contextmanager
def app(fault: Fault | None = None) -> Iterator[App]:
    """The app while it runs."""
    made = App(fault)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.stop()
        thread.join()


class Project:
    """A project of a running gateway, and the command that forwards its events."""

    def __init__(self, url: str, key: str, http: httpx.Client, folder: Path) -> None:
        self.url = url
        self.key = key
        self.http = http
        self.folder = folder

    def task(self) -> str:
        """A task that was created and cancelled: three events."""
        made = self.http.post("/v1/tasks", json=TASK).raise_for_status().json()["id"]
        self.http.post(f"/v1/tasks/{made}/cancel").raise_for_status()
        return str(made)

    def events(self) -> list[Json]:
        """All there are."""
        found: list[Json] = self.http.get("/v1/events?limit=200").json()["data"]
        return found

    @contextmanager
    def forwarding(self, address: str, *words: str, **more: str) -> Iterator[Listening]:
        """The command, which has said where it begins."""
        environ = {
            "SLIPGATE_URL": self.url,
            "SLIPGATE_API_KEY": self.key,
            "SLIPGATE_WEBHOOK_SECRET": SECRET,
            **more,
        }
        with listening(
            f"--forward-to={address}", *words, environ=environ, folder=self.folder
        ) as process:
            yield process


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Json]]:
    """The address and the environment of a gateway."""
    with gateway_process(tmp_path_factory.mktemp("gateway")) as (_, url, environ):
        yield url, environ


@pytest.fixture
def project(running: tuple[str, Json], tmp_path: Path) -> Iterator[Project]:
    """A project of its own: its feed holds what the test makes."""
    url, environ = running
    key = mint(environ, "tasks", tmp_path.name, "test").key
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
        yield Project(url, key, http, tmp_path)


def ids(bodies: Sequence[Json]) -> list[str]:
    """Of the events in bodies."""
    return [body["data"]["event"]["id"] for body in bodies]


def test_events_reach_the_app_signed_and_in_order(project: Project) -> None:
    project.task()
    with app() as receiver, project.forwarding(receiver.url) as process:
        assert "new ones, from now on" in process.says("forwarding events to")
        task = project.task()
        expected = [event for event in project.events() if event["taskId"] == task]
        bodies = receiver.taken(len(expected))
        lines = process.lines(len(expected))
        code, _, err = process.interrupt()
        assert code == 0
        assert "goes on where it was" in err
        # Nothing from before it was first started; the event as the feed shows it.
        assert [body["data"]["event"] for body in bodies] == expected
        shown = project.http.get(f"/v1/tasks/{task}").json()
        assert bodies[-1]["data"]["task"] == shown
        for body, event in zip(bodies, expected, strict=True):
            assert (body["type"], body["timestamp"]) == (event["type"], event["at"])
    assert [(line["answered"], line["reason"]) for line in lines] == [(204, None)] * len(lines)
    assert [one.verification.id for one in receiver.arrivals] == [event["id"] for event in expected]


def test_a_restart_goes_on_where_it_stopped(project: Project) -> None:
    with app() as receiver:
        with project.forwarding(receiver.url) as process:
            process.says("forwarding events to")
            project.task()
            first = len(receiver.taken(len(project.events())))
            process.lines(first)
            process.interrupt(signal.SIGTERM)
        project.task()
        with project.forwarding(receiver.url) as process:
            process.says("on from where it was stopped")
            bodies = receiver.taken(len(project.events()))
        assert ids(bodies) == [event["id"] for event in project.events()]
        assert [one.tries for one in receiver.arrivals] == [1] * len(bodies)


def test_a_kill_loses_nothing_and_repeats_at_most_what_was_under_way(project: Project) -> None:
    with app() as receiver:
        for after in (["--after=0"], [], [], []):
            project.task()
            with project.forwarding(receiver.url, *after) as process:
                process.line()
                process.kill()
        with project.forwarding(receiver.url):
            bodies = receiver.taken(len(project.events()))
        assert ids(bodies) == [event["id"] for event in project.events()]
        twice = [one for one in receiver.arrivals if one.is_duplicate]
        assert len(twice) <= 4
        by_id = {one.verification.id: one.body for one in receiver.arrivals}
        assert all(by_id[one.verification.id] == one.body for one in twice)


def test_a_gateway_that_is_started_again_is_waited_for(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (child, url, environ), app() as receiver:
        key = mint(environ, "tasks", "default", "test").key
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            project = Project(url, key, http, tmp_path)
            project.task()
            with project.forwarding(receiver.url, "--after=0") as process:
                receiver.taken(len(project.events()))
                child.kill()
                process.says("Waiting for it")
                child.start()
                wait_until_ready(url, child)
                project.task()
                bodies = receiver.taken(len(project.events()))
            assert ids(bodies) == [event["id"] for event in project.events()]
            assert [one.tries for one in receiver.arrivals] == [1] * len(bodies)


def test_an_app_that_fails_gets_the_same_again_before_anything_newer(project: Project) -> None:
    project.task()
    with (
        app(Fault(kind="status", status=500, times=2)) as receiver,
        project.forwarding(receiver.url, "--after=0") as process,
    ):
        bodies = receiver.taken(len(project.events()))
        lines = process.lines(len(bodies) + 2)
        assert [line["answered"] for line in lines[:3]] == [500, 500, 204]
        assert [line["retrySeconds"] for line in lines[:3]] == [1, 2, None]
        assert len({one.verification.id for one in receiver.arrivals[:3]}) == 1
        assert len({one.body for one in receiver.arrivals[:3]}) == 1
        assert ids(bodies) == [event["id"] for event in project.events()]


def test_an_app_that_is_not_there_yet_is_waited_for(project: Project) -> None:
    project.task()
    with app() as receiver:
        address = receiver.url
    with project.forwarding(address, "--after=0") as process:
        first = process.line()
        assert (first["answered"], first["reason"]) == (None, "connect")
        assert first["retrySeconds"] == 1
        assert process.interrupt()[0] == 0


def test_an_app_that_speaks_no_tls_is_told_from_one_that_is_away(project: Project) -> None:
    project.task()
    with app() as receiver:
        address = receiver.url.replace("http:", "https:")
        with project.forwarding(address, "--after=0") as process:
            first = process.line()
    assert (first["answered"], first["reason"]) == (None, "tls")


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (Fault(kind="status", status=410), 1, "answered 410"),
        (Fault(kind="redirect", status=302), None, "redirect"),
    ],
    ids=["gone", "a redirect"],
)
def test_what_is_no_success_is_none_here_either(
    fault: Fault, code: int | None, message: str, project: Project
) -> None:
    project.task()
    with (
        app(fault) as receiver,
        project.forwarding(receiver.url, "--after=0") as process,
    ):
        line = process.line()
        ended = process.end() if code is not None else process.interrupt()
    assert line["answered"] == fault.status
    assert ended[0] == (code or 0)
    assert message in ended[2] or line["reason"] == message


def test_chosen_types_alone_are_sent(project: Project) -> None:
    project.task()
    with (
        app() as receiver,
        project.forwarding(receiver.url, "--after=0", "--types=task.cancelled"),
    ):
        assert [body["type"] for body in receiver.taken(1)] == ["task.cancelled"]


def test_what_befell_an_endpoint_is_sent_without_a_task(
    project: Project, running: tuple[str, Json]
) -> None:
    url, environ = running
    headers = {"authorization": f"Bearer {mint(environ, 'ops', 'default', 'endpoints').key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as ops:
        wanted = {"url": "https://app.invalid/hook", "project": project.folder.name}
        made = ops.post("/v1/endpoints", json=wanted).raise_for_status().json()["id"]
        ops.post(f"/v1/endpoints/{made}/disable").raise_for_status()
    chosen = "--types=endpoint.*"
    with app() as receiver:
        with project.forwarding(receiver.url, "--after=0", chosen) as process:
            process.line()
        with project.forwarding(receiver.url, chosen) as process:
            process.says("forwarding")  # the feed of its last event, though it is of no task
        (body,) = receiver.taken(1)
    assert (body["type"], "task" in body["data"]) == ("endpoint.disabled", False)
    assert body["data"]["endpoint"] == body["data"]["event"]["data"]["endpoint"]
    assert body["data"]["endpoint"]["id"] == made


def test_a_secret_of_its_own_is_shown_once_and_kept_for_its_owner(project: Project) -> None:
    address = "http://127.0.0.1:9/"
    without = {"SLIPGATE_WEBHOOK_SECRET": ""}
    with project.forwarding(address, **without) as process:
        shown = process.says("SLIPGATE_WEBHOOK_SECRET=").strip()
        process.says("forwarding")
        process.interrupt()
    kept = project.folder / ".slipgate" / "webhook-secret"
    assert shown == f"SLIPGATE_WEBHOOK_SECRET={kept.read_text()}"
    Webhook(kept.read_text())
    for file in kept.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    with project.forwarding(address, **without) as process:
        process.says("forwarding")
        assert kept.read_text() not in "".join(process.told)


def test_two_do_not_forward_the_same(project: Project) -> None:
    address = "http://127.0.0.1:9/"
    with project.forwarding(address) as process:
        process.says("forwarding")
        with project.forwarding(address) as second:
            code, _, err = second.end()
    assert code == 1
    assert "would deliver everything twice" in err


@pytest.mark.parametrize("is_newer", [True, False], ids=["no such number", "another event"])
def test_another_gateway_is_noticed(is_newer: bool, project: Project) -> None:
    project.task()
    seq = project.events()[-1]["seq"] + 1_000_000 * is_newer
    address = "http://127.0.0.1:9/"
    folder = project.folder / ".slipgate"
    folder.mkdir(mode=0o700)
    with Progress.held(folder, project.url, address) as progress:
        progress.taken(
            WebhookMessage(seq=seq, id="evt_another", type="t", task_id="task_1", body="{}")
        )
    with project.forwarding(address) as process:
        code, _, err = process.end()
    assert code == 1
    assert "begin anew with --after now" in err
    with project.forwarding(address, "--after=now") as process:
        process.says("forwarding")
        assert process.interrupt()[0] == 0


def _expired(request: httpx.Request) -> httpx.Response:
    problem = {"code": "cursor_expired", "status": 410, "detail": "Gone.", "requestId": "r"}
    return httpx.Response(410, json=problem)


def test_events_that_were_deleted_before_they_were_sent_are_told(tmp_path: Path) -> None:
    transport = httpx.MockTransport(_expired)
    with (
        httpx.Client(base_url="http://gate", transport=transport) as http,
        httpx.Client(transport=transport) as away,
        Progress.held(tmp_path, "http://gate", "http://app") as progress,
    ):
        progress.begin(7)
        shown: list[ForwardAttempt] = []
        forwarder = Forwarder(
            Client(http, HERE), away, progress, "http://app", [b"k" * 32], show=shown.append
        )
        with pytest.raises(CommandFailed, match="events behind 7 were deleted") as caught:
            forwarder.run(None)
        assert "--after 0" in caught.value.next_step
        assert is_same_feed(Client(http, HERE), (7, "evt_1"))
    assert shown == []


def test_a_damaged_file_of_progress_is_told(project: Project) -> None:
    address = "http://127.0.0.1:9/"
    with project.forwarding(address) as process:
        process.says("forwarding")
        process.interrupt()
    (kept,) = (project.folder / ".slipgate").glob("forwarded-*[!k]")
    kept.write_bytes(b"{")
    with project.forwarding(address) as process:
        code, _, err = process.end()
    assert code == 1
    assert "Remove that file" in err


def test_without_a_key_it_says_which(tmp_path: Path) -> None:
    environ = {"SLIPGATE_URL": "http://127.0.0.1:9", "SLIPGATE_WEBHOOK_SECRET": SECRET}
    address = "--forward-to=http://127.0.0.1:9/"
    with listening(address, environ=environ, folder=tmp_path) as process:
        code, _, err = process.end()
    assert code == 1
    assert "SLIPGATE_API_KEY is not set" in err
    assert list((tmp_path / ".slipgate").iterdir()) == []
