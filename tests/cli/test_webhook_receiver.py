"""`slipgate webhook listen` as a receiver: it verifies, deduplicates, fails as it is told."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest
from standardwebhooks import Webhook

from gateway.cli.webhook.receiver import Fault
from gateway.wire.signing import secret_text, sign
from tests.cli.listening import Listening, listening

KEY: Final = b"k" * 32
ENVIRON: Final = {"SLIPGATE_WEBHOOK_SECRET": secret_text(KEY)}
BODY: Final = (
    b'{"type":"task.completed","timestamp":"2026-01-05T09:32:10.000Z",'
    b'"data":{"event":{"taskId":"task_1"},"task":{"id":"task_1"}}}'
)


@contextmanager
def receiver(
    folder: Path, *words: str, as_json: bool = True
) -> Iterator[tuple[Listening, httpx.Client]]:
    """A receiver on a free port, with the secret of `slipgate init`, and a sender."""
    written = folder / ".env.frontend"
    written.touch(mode=0o600)
    written.write_text("".join(f"{name}={text}\n" for name, text in ENVIRON.items()))
    with listening("--port=0", *words, environ={}, folder=folder, as_json=as_json) as process:
        url = process.says("listening at").split()[-1]
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            yield process, http


def send(http: httpx.Client, webhook_id: str = "evt_1", key: bytes = KEY) -> httpx.Response:
    """One signed request."""
    now = int(time.time())
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(key, webhook_id, now, BODY),
    }
    return http.post("/api/hook", content=BODY, headers=headers)


def test_what_verifies_is_taken_once_and_said_in_a_line_each(tmp_path: Path) -> None:
    with receiver(tmp_path) as (process, http):
        answers = [send(http), send(http), send(http, key=b"x" * 32), send(http, "evt_2")]
        lines = process.lines(4)
        code, out, err = process.interrupt()
    assert [answer.status_code for answer in answers] == [204, 204, 401, 204]
    shown = [(one["verified"], one["code"], one["duplicate"], one["tries"]) for one in lines]
    assert shown == [
        (True, None, False, 1),
        (True, None, True, 2),
        (False, "invalid_signature", False, 1),
        (True, None, False, 1),
    ]
    assert [lines[0][name] for name in ("id", "type", "taskId")] == [
        "evt_1",
        "task.completed",
        "task_1",
    ]
    assert lines[0]["body"]["data"]["task"] == {"id": "task_1"}
    assert (code, out) == (0, "")
    assert "stopped" in err


def test_the_lines_for_people_hold_what_they_look_for(tmp_path: Path) -> None:
    with receiver(tmp_path, as_json=False) as (process, http):
        for key in (KEY, KEY, b"x" * 32):
            send(http, key=key)
        _, out, _ = process.interrupt()
    taken, twice, refused = out.splitlines()
    assert "evt_1  task.completed      task_1  → 204" in taken
    assert "→ 204  (duplicate, try 2)" in twice
    assert "invalid_signature: " in refused
    assert "→ 401" in refused


def test_what_the_reference_library_signs_is_taken(tmp_path: Path) -> None:
    with receiver(tmp_path) as (_, http):
        now = datetime.now(UTC)
        signature = Webhook(secret_text(KEY)).sign("evt_9", now, BODY.decode())
        headers = {
            "webhook-id": "evt_9",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        assert http.post("/", content=BODY, headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("words", "statuses"),
    [
        (["--fail=500", "--times=2"], [500, 500, 204, 204]),
        (["--fail=503", "--every=2"], [204, 503, 204, 503]),
        (["--fail=410"], [410, 410, 410, 410]),
        (["--fail=429", "--retry-after=7", "--every=3", "--times=1"], [204, 204, 429, 204]),
        (["--fail=redirect", "--times=1"], [302, 204, 204, 204]),
    ],
    ids=["the first two", "each second", "gone", "one third", "a redirect"],
)
def test_it_fails_as_often_as_it_is_told(
    words: list[str], statuses: list[int], tmp_path: Path
) -> None:
    with receiver(tmp_path, *words) as (process, http):
        answers = [send(http) for _ in statuses]
        lines = process.lines(len(statuses))
    assert [answer.status_code for answer in answers] == statuses
    assert [line["answered"] for line in lines] == statuses
    assert [line["fault"] for line in lines] == [status != 204 for status in statuses]
    # What was answered with a failure was not taken: the next try is no duplicate.
    taken = [at for at, status in enumerate(statuses) if status == 204]
    assert [line["duplicate"] for line in lines] == [
        bool(taken) and at > taken[0] for at in range(len(statuses))
    ]
    for answer in answers:
        assert (answer.headers.get("retry-after") == "7") == (answer.status_code == 429)
        assert ("location" in answer.headers) == (answer.status_code == 302)


def test_a_reset_is_one_and_the_next_try_is_taken(tmp_path: Path) -> None:
    with receiver(tmp_path, "--fail=reset", "--times=1") as (process, http):
        with pytest.raises(httpx.ReadError):
            send(http)
        assert send(http).status_code == 204
        first, second = process.lines(2)
    assert (first["answered"], first["verified"]) == (None, True)
    assert (second["tries"], second["duplicate"]) == (2, False)


def test_who_hangs_is_not_waited_for_when_it_is_stopped(tmp_path: Path) -> None:
    with receiver(tmp_path, "--fail=hang", "--times=1") as (process, http):
        with pytest.raises(httpx.ReadTimeout):
            http.post("/", content=BODY, timeout=0.2)
        assert process.line()["answered"] is None
        assert process.interrupt()[0] == 0


def test_it_answers_late_when_it_is_told_to(tmp_path: Path) -> None:
    with receiver(tmp_path, "--delay=0.3") as (_, http):
        assert send(http).elapsed.total_seconds() >= 0.3


def test_what_it_does_not_read_is_told(tmp_path: Path) -> None:
    with receiver(tmp_path) as (process, http):
        assert http.post("/", content=iter([BODY])).status_code == 411
        assert "without Content-Length was refused" in process.says("refused")
        assert send(http).status_code == 204
        assert process.line()["number"] == 1


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with receiver(tmp_path) as (_, http):
        port = http.base_url.port
        with listening(f"--port={port}", environ=ENVIRON, folder=tmp_path) as second:
            code, _, err = second.end()
    assert code == 1
    assert "Choose another by --port" in err


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (Fault(kind="reset"), [1, 2, 3, 4, 5, 6]),
        (Fault(kind="reset", times=2), [1, 2]),
        (Fault(kind="reset", every=2), [2, 4, 6]),
        (Fault(kind="reset", every=2, times=2), [2, 4]),
    ],
    ids=["always", "the first two", "each second", "two of each second"],
)
def test_a_fault_concerns_the_requests_that_it_names(fault: Fault, failing: list[int]) -> None:
    assert [number for number in range(1, 7) if fault.concerns(number)] == failing
