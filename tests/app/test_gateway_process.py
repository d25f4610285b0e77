"""A gateway as a real process: what it acknowledged outlives it, and it stops in order."""

import threading
from pathlib import Path

import httpx
import msgspec

from gateway.cli.local.processes import (
    wait_for,
    wait_until_ready,
)
from gateway.cli.operations.minting import mint
from gateway.store.administration import audit
from gateway.wire.tasks import TaskView
from tests.app.processes import gateway_process
from tests.forks.children import gateway_child
from tests.stores import NewDatabase
from tests.web.callers import rows_of

REQUEST = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_acknowledged_tasks_outlive_a_kill(tmp_path: Path, database: NewDatabase) -> None:
    with gateway_process(tmp_path, database=database) as (child, url, environ):
        headers = bearer(mint(environ, "tasks", "default", "test").key)
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            acknowledged = [http.post("/v1/tasks", json=REQUEST).json()["id"] for _ in range(20)]
            child.kill()
            child.start()
            wait_until_ready(url, child)
            for task_id in acknowledged:
                found = msgspec.json.decode(http.get(f"/v1/tasks/{task_id}").content, type=TaskView)
                assert found.status == "queued"
    audited = audit(database.location)
    assert (audited.tasks, audited.problems) == (20, ())


def test_a_queued_task_expires_by_its_clock_without_anybody_asking(
    tmp_path: Path, database: NewDatabase
) -> None:
    with gateway_process(tmp_path, database=database) as (child, url, environ):
        headers = bearer(mint(environ, "tasks", "default", "test").key)
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            request = {**REQUEST, "timeouts": {"queueSeconds": 1}}
            task_id = http.post("/v1/tasks", json=request).json()["id"]

            def is_expired() -> bool:
                return bool(http.get(f"/v1/tasks/{task_id}").json()["status"] == "expired")

            wait_for(is_expired, "the task to expire", child, 60)


def test_a_second_gateway_on_the_same_database_is_refused(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (_, _, environ):
        other = gateway_child({**environ, "SLIPGATE_PORT": "0"}, tmp_path / "second.log")
        with other:
            wait_for(lambda: other.exit_code is not None, "it to be refused", other, 60)
        assert other.exit_code == 1
        assert "Another gateway holds" in other.tail()


def test_a_stop_answers_who_waits_and_ends_with_exit_code_0(
    tmp_path: Path, database: NewDatabase
) -> None:
    answers: list[int] = []
    with gateway_process(tmp_path, database=database) as (child, url, environ):
        headers = bearer(mint(environ, "launcher", "default", "test").key)
        claim = {"launcherId": "l-1", "providers": ["local"], "capacity": 1, "waitSeconds": 30}

        def wait_for_jobs() -> None:
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=90) as http:
                answers.append(http.post("/v1/launcher/claim", json=claim).status_code)

        waiting = threading.Thread(target=wait_for_jobs)
        waiting.start()
        wait_for(
            lambda: bool(rows_of(database, "SELECT id FROM launchers")),
            "the claim to be in",
            child,
            60,
        )
        child.stop()
        waiting.join(60)
        assert child.exit_code == 0
    assert answers == [200]
    assert "gateway.stopped" in child.tail()
    assert "Traceback" not in child.tail(1000)


def test_wrong_settings_end_with_exit_code_2_and_all_problems(tmp_path: Path) -> None:
    environ = {"SLIPGATE_PORT": "none", "SLIPGATE_LOG": "xml", "PATH": "/usr/bin"}
    child = gateway_child(environ, tmp_path / "gateway.log")
    with child:
        wait_for(lambda: child.exit_code is not None, "it to be refused", child, 60)
    assert child.exit_code == 2
    for name in ("SLIPGATE_PORT", "SLIPGATE_LOG", "SLIPGATE_SECRET_KEYS"):
        assert name in child.tail()
