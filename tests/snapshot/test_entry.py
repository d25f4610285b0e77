"""The entrypoint checks its environment, and names what is wrong."""

import json
import signal
from pathlib import Path

import pytest

from snapshot.runner.digest import script_digest
from tests.snapshot.http_stub import HttpStub, Request, Response
from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.sandbox import Sandbox


def test_all_problems_of_the_environment_are_reported_at_once(sandbox: Sandbox) -> None:
    wrong = {"MODEL_PROVIDER": "skynet", "TARGET_REPO": "", "SLIPGATE_VALIDATE": "make test"}
    assert sandbox.run(**wrong) == 1, sandbox.printed()
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    assert (error["stage"], error["code"]) == ("setup", "configuration")
    for text in (error["message"], sandbox.printed()):
        assert "MODEL_PROVIDER must be one of openai, anthropic, google, openrouter" in text
        assert "TARGET_REPO must be set" in text
        assert "SLIPGATE_VALIDATE must be a JSON list of argument lists" in text


def test_a_missing_model_key_is_named(sandbox: Sandbox) -> None:
    sandbox.run(OPENAI_API_KEY="")
    assert "OPENAI_API_KEY must be set" in str(sandbox.gateway.last.data["error"])


@pytest.mark.usefixtures("from_entrypoint")
def test_a_missing_interpreter_is_named(sandbox: Sandbox) -> None:
    assert sandbox.run(SLIPGATE_PYTHON="/nowhere/python3") == 2
    assert "/nowhere/python3 is not installed" in sandbox.printed()


@pytest.mark.usefixtures("from_entrypoint")
def test_which_scripts_run_and_what_cannot_be_reported_is_printed(sandbox: Sandbox) -> None:
    assert sandbox.run(SLIPGATE_WEBHOOK_SECRET="whsec_***", SLIPGATE_ATTEMPT="x") == 2
    assert sandbox.printed().startswith(f"slipgate: scripts={script_digest()}\n")
    assert "SLIPGATE_WEBHOOK_SECRET: a webhook secret is 'whsec_' and base64" in sandbox.printed()
    assert "SLIPGATE_ATTEMPT must be a number" in sandbox.printed()


def test_a_state_directory_of_somebody_else_is_refused(sandbox: Sandbox) -> None:
    sandbox.state.symlink_to("/tmp")
    assert sandbox.run() == 2
    assert "must be a directory of our own" in sandbox.printed()


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("TARGET_REPO", "--upload-pack=touch /tmp/x", "must not begin with '-'"),
        ("BRANCH_NAME", "--force", "must not begin with '-'"),
    ],
)
def test_a_broken_rule_fails_the_task_and_is_named(
    sandbox: Sandbox, name: str, value: str, rule: str
) -> None:
    sandbox.agent_is("true")
    assert sandbox.run(**{name: value}) == 1, sandbox.printed()
    assert sandbox.gateway.last.type == "task.failed"
    assert rule in str(sandbox.gateway.last.data["error"])


@pytest.mark.usefixtures("from_entrypoint")
def test_keep_alive_keeps_the_sandbox_awake_after_the_end_without_secrets(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is("true")
    process = sandbox.start(KEEP_ALIVE="true")
    until(lambda: "staying awake" in sandbox.printed(), "it to stay awake")
    sandbox.gateway.wait_for(lambda event: event.type == "task.needs_review")
    until(lambda: "sleep" in _command_line(process.pid), "it to become a sleep")
    assert "TOKEN" not in Path(f"/proc/{process.pid}/environ").read_text()
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGTERM


def test_the_beginning_of_a_long_prompt_is_completed(sandbox: Sandbox) -> None:
    sandbox.gateway.prompt = "Fix double()\n" + "It is long. " * 20_000
    sandbox.agent_is("cat > prompt.txt")
    sandbox.validates(["true"])
    url = f"{sandbox.gateway.http.url}/v1/agent/prompt?taskId=task_1&attempt=1"
    assert sandbox.run(SLIPGATE_PROMPT_URL=url, AGENT_PROMPT="Fix dou") == 0, sandbox.printed()
    written = sandbox.remote.show("slipgate/task", "prompt.txt")
    assert written.startswith(sandbox.gateway.prompt)
    fetched = next(request for request in sandbox.gateway.requests if request.method == "GET")
    assert fetched.target.endswith("?taskId=task_1&attempt=1")


def test_todays_flat_webhook_is_spoken_where_nothing_can_be_signed(sandbox: Sandbox) -> None:
    received: list[dict[str, object]] = []

    def answer(request: Request) -> Response:
        received.append(request.json())
        return Response(content={"status": "ok"})

    frontend = HttpStub(answer)
    sandbox.agent_is("sed -i 's/n + n + 1/2 * n/' widgets.py")
    flat = {"SLIPGATE_WEBHOOK_SECRET": "", "SLIPGATE_TASK_ID": "", "WEBHOOK_URL": frontend.url}
    assert sandbox.run(**flat) == 0, sandbox.printed()
    frontend.stop()
    assert {message["type"] for message in received} == {"task.progress", "task.completed"}
    last = received[-1]
    assert (last["taskId"], last["workspaceId"], last["status"]) == ("task_1", "ws_1", "success")
    assert last["prUrl"] == sandbox.github.pulls[0]["html_url"]
    assert last["branchName"] == "slipgate/task"


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.usefixtures("from_entrypoint")
def test_what_a_launcher_hands_over_in_a_file_is_gone_before_anything_runs(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(f"ls -a ../.. > {sandbox.shared}/seen; sed -i 's/n + n + 1/2 * n/' widgets.py")
    whole = dict(sandbox.environ)
    names = ("PATH", "SLIPGATE_STATE_DIR", "SLIPGATE_PYTHON")
    sandbox.environ = {name: whole[name] for name in names}
    sandbox.state.mkdir()
    file = sandbox.state / "environment.json"
    file.write_text(json.dumps({name: whole[name] for name in whole if name not in names}))
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"
    seen = (sandbox.shared / "seen").read_text()
    assert "spool.jsonl" in seen
    assert "environment.json" not in seen

    assert sandbox.run() == 2, "it is handed over once"
    assert "must be set" in sandbox.printed()
