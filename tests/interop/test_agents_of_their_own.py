"""The signing samples for agents are accepted by a gateway."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.cli.operations.minting import mint
from tests.app.processes import gateway_process
from tests.docs.samples import pasted
from tests.interop.node import environ

Json = dict[str, Any]
CLAIM: Final = {
    "launcherId": "l-1",
    "providers": ["local@here"],
    "capacity": 1,
    "waitSeconds": 10,
}
PYTHON: Final = """
print(emit("task.started", scriptDigest="00", snapshot="mine"))
print(emit("task.progress", stage="agent", message="it's half way, \\u00fc"))
print(emit("task.completed", branchName="b", summary="done", validation=[]))
"""
SHELL: Final = """
set -eu
emit task.started '"scriptDigest": "00", "snapshot": "mine"'
emit task.progress '"stage": "agent", "message": "it'"'"'s half way, ü"'
emit task.completed '"branchName": "b", "summary": "done", "validation": []'
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[tuple[Json, httpx.Client]]:
    """The environment of a task's sandbox, and who looks at the task."""
    with gateway_process(tmp_path, is_public=True) as (_, url, given):
        keys = {scope: mint(given, scope, "default", scope).key for scope in ("tasks", "launcher")}
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            http.headers["authorization"] = f"Bearer {keys['tasks']}"
            task = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}
            http.post("/v1/tasks", json=task).raise_for_status()
            launcher = {"authorization": f"Bearer {keys['launcher']}"}
            claimed = http.post("/v1/launcher/claim", json=CLAIM, headers=launcher)
            (job,) = claimed.raise_for_status().json()["jobs"]
            yield job["env"], http


@pytest.mark.parametrize(
    ("name", "story", "program"),
    [("emit.py", PYTHON, [sys.executable]), ("emit.sh", SHELL, ["sh"])],
    ids=["Python", "a shell"],
)
def test_what_is_pasted_is_heard(
    name: str, story: str, program: list[str], sandbox: tuple[Json, httpx.Client], tmp_path: Path
) -> None:
    given, http = sandbox
    file = tmp_path / name
    file.write_text(pasted(name) + story, encoding="utf-8")
    result = subprocess.run(
        [*program, str(file)],
        env={**environ(), **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    path = f"/v1/tasks/{given['SLIPGATE_TASK_ID']}"
    events = http.get(f"{path}/events").json()["data"]
    received = [event for event in events if event["source"] == "agent"]
    kinds = ["task.started", "task.progress", "task.completed"]
    assert [event["type"] for event in received] == kinds
    assert received[1]["data"]["message"] == "it's half way, ü"
    assert http.get(path).json()["status"] == "completed"


def test_a_refusal_ends_it_with_the_reason(
    sandbox: tuple[Json, httpx.Client], tmp_path: Path
) -> None:
    given, _ = sandbox
    wrong = {**given, "SLIPGATE_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    file = tmp_path / "emit.sh"
    file.write_text(f"{pasted('emit.sh')}\nemit task.heartbeat", encoding="utf-8")
    result = subprocess.run(
        ["sh", str(file)],
        env={**environ(), **wrong},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode != 0
    assert "invalid_signature" in result.stdout
