"""Once an agent has changed a file, the change is kept, whatever comes after."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from snapshot.runner.state_directory import (
    HOME,
    RESERVE,
    RESERVE_BYTES,
    TEMPORARY,
    StateDirectory,
)
from tests.snapshot.gateway_stub import refusal
from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.repositories import FIX, git
from tests.snapshot.sandbox import BRANCH, Sandbox

FIXED = "+    return 2 * n"


def waiting(sandbox: Sandbox, script: str = FIX) -> "subprocess.Popen[bytes]":
    """A runner whose agent has done its work and waits for the file `go`."""
    there, go = sandbox.shared / "there", sandbox.shared / "go"
    sandbox.agent_is(f"{script}; touch {there}; until [ -e {go} ]; do sleep 0.02; done")
    process = sandbox.start()
    until(there.exists, "the agent's work")
    return process


def finished(sandbox: Sandbox, process: "subprocess.Popen[bytes]") -> int:
    """Let the agent end, and wait for the runner."""
    (sandbox.shared / "go").touch()
    return process.wait(PATIENCE_SECONDS)


def error_of(sandbox: Sandbox) -> dict[str, object]:
    """The error of the last event."""
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    return error


def goes_on(sandbox: Sandbox, *, attempt: int = 2, **more: str) -> int:
    """The next attempt, in a sandbox of its own, with an agent that must not run."""
    sandbox.gateway.leaves()
    sandbox.agent_is(f"touch {sandbox.shared}/paid-again")
    url = f"{sandbox.gateway.http.url}/v1/agent/patch?taskId=task_1&attempt={attempt}"
    state = str(sandbox.root / f"state-{attempt}")
    code = sandbox.run(
        SLIPGATE_ATTEMPT=f"{attempt}", SLIPGATE_STATE_DIR=state, SLIPGATE_RESUME_URL=url, **more
    )
    assert not (sandbox.shared / "paid-again").exists()
    return code


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        ("git update-ref -d refs/heads/main", "was deleted while the agent worked"),
        (
            "git update-ref refs/heads/main $(git commit-tree -m new $(git rev-parse main^{tree}))",
            "was rewritten while the agent worked",
        ),
    ],
    ids=["deleted", "force-pushed"],
)
def test_a_base_branch_that_changes_under_the_agent_costs_nothing(
    sandbox: Sandbox, happens: str, sentence: str
) -> None:
    process = waiting(sandbox)
    environ = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "EMAIL": "a@a"}
    identity = {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
    script = ["bash", "-ec", happens]
    subprocess.run(script, cwd=sandbox.remote.path, env=environ | identity, check=True)
    assert finished(sandbox, process) == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert sentence in str(last.data["summary"])
    assert FIXED in str(last.data["patch"])
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py"), "the push was tried"


def test_a_base_branch_that_went_on_is_no_reason_for_a_review(sandbox: Sandbox) -> None:
    process = waiting(sandbox)
    sandbox.remote.push("main", {"other.txt": "1"}, "Somebody else's")
    assert finished(sandbox, process) == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"


def test_a_server_that_is_away_after_the_agent_costs_only_another_attempt(
    sandbox: Sandbox,
) -> None:
    process = waiting(sandbox)
    away = sandbox.remote.path.with_name("away.git")
    sandbox.remote.path.rename(away)
    assert finished(sandbox, process) == 1, sandbox.printed()
    last = sandbox.gateway.last
    assert (error_of(sandbox)["retryable"], last.data["resumable"]) == (True, True)
    assert error_of(sandbox)["stage"] == "push"
    assert FIXED in sandbox.gateway.patch

    assert goes_on(sandbox) == 1, sandbox.printed()
    assert sandbox.gateway.last.data["resumable"] is True, "it met the same trouble"

    away.rename(sandbox.remote.path)
    assert goes_on(sandbox, attempt=3) == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.completed"
    assert last.data["prUrl"] == sandbox.github.pulls[0]["html_url"]
    assert "progress:agent" not in sandbox.gateway.steps
    assert "progress:validate" in sandbox.gateway.steps
    assert FIXED in sandbox.gateway.patch, "the attempt has a patch of its own"


def test_work_is_taken_up_on_the_branch_as_it_is_when_its_commit_is_gone(sandbox: Sandbox) -> None:
    process = waiting(sandbox)
    away = sandbox.remote.path.with_name("away.git")
    sandbox.remote.path.rename(away)
    finished(sandbox, process)
    away.rename(sandbox.remote.path)
    sandbox.remote.push("main", {"README.md": "# Other widgets\n"}, "Another")
    tip = sandbox.remote.branches()["main"]
    gone = git("commit-tree", "-m", "new", f"{tip}^{{tree}}", at=sandbox.remote.path)
    git("update-ref", "refs/heads/main", gone, at=sandbox.remote.path)
    git("gc", "-q", "--prune=now", at=sandbox.remote.path)
    assert goes_on(sandbox) == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", sandbox.gateway.last
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert sandbox.remote.show(BRANCH, "README.md") == "# Other widgets"


@pytest.mark.parametrize(
    ("named", "is_pruned"),
    [("main", False), ("", True)],
    ids=["named, commit there", "default, commit gone"],
)
def test_work_is_taken_up_though_its_base_branch_was_deleted(
    sandbox: Sandbox, named: str, is_pruned: bool
) -> None:
    sandbox.environ["BASE_BRANCH"] = named
    process = waiting(sandbox)
    away = sandbox.remote.path.with_name("away.git")
    sandbox.remote.path.rename(away)
    finished(sandbox, process)
    away.rename(sandbox.remote.path)
    sandbox.remote.push("other", {"other.txt": "1"}, "Another")
    git("update-ref", "-d", "refs/heads/main", at=sandbox.remote.path)
    if is_pruned:
        unrelated = git("commit-tree", "-m", "new", "other^{tree}", at=sandbox.remote.path)
        git("update-ref", "refs/heads/other", unrelated, at=sandbox.remote.path)
        git("gc", "-q", "--prune=now", at=sandbox.remote.path)
    assert goes_on(sandbox) == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert FIXED in str(last.data["patch"])
    if is_pruned:
        assert BRANCH not in sandbox.remote.branches()
    else:
        assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py"), "the push was tried"
        assert "was deleted" in str(last.data["summary"])


def test_what_is_taken_up_and_does_not_apply_needs_a_person(sandbox: Sandbox) -> None:
    process = waiting(sandbox)
    away = sandbox.remote.path.with_name("away.git")
    sandbox.remote.path.rename(away)
    finished(sandbox, process)
    away.rename(sandbox.remote.path)
    sandbox.gateway.earlier = {}
    sandbox.gateway.leaves()
    git("update-ref", "-d", "refs/heads/main", at=sandbox.remote.path)
    sandbox.remote.push("other", {"widgets.py": "quite different\n"}, "Another")
    git("gc", "-q", "--prune=now", at=sandbox.remote.path)
    base = {**sandbox.gateway.earlier, "baseSha": None}
    sandbox.gateway.leaves = lambda: sandbox.gateway.earlier.update(base)  # type: ignore[method-assign]
    assert goes_on(sandbox, BASE_BRANCH="other") == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert FIXED in str(last.data["patch"])


def test_a_retry_after_a_refusal_of_github_pays_no_agent_again(sandbox: Sandbox) -> None:
    process = waiting(sandbox)
    taken, sandbox.github.token = sandbox.github.token, "another"
    assert finished(sandbox, process) == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert (last.type, last.data["resumable"]) == ("task.needs_review", True)
    sandbox.github.token = taken
    assert goes_on(sandbox) == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"
    assert "resumable" not in sandbox.gateway.last.data
    assert len(sandbox.github.pulls) == 1


def test_a_cancel_keeps_the_work_so_far(sandbox: Sandbox) -> None:
    sandbox.gateway.deadline_seconds = 4
    process = waiting(sandbox)
    reserve = sandbox.state / RESERVE
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES, "whatever the agent fills"
    sandbox.gateway.is_cancelling = True
    assert process.wait(PATIENCE_SECONDS) == 4, sandbox.printed()
    assert not reserve.exists()
    piece = sandbox.gateway.of("task.patch")[0]
    assert piece.data["partial"] is True
    assert FIXED in sandbox.gateway.patch
    assert sandbox.gateway.steps[-2:] == ["patch", "failed"]
    assert error_of(sandbox)["code"] == "cancelled"


def test_on_a_full_disk_the_folders_of_the_commands_free_space_for_the_patch(
    tmp_path: Path,
) -> None:
    state = StateDirectory(tmp_path / "state")
    workdir = state.workdir("agent")
    for name in (HOME, TEMPORARY):
        (workdir / name).mkdir()
        (workdir / name / "large").touch()
    state.free_space(workdir, fewest_free_bytes=0)
    assert len([*workdir.glob("*/large")]) == 2
    state.free_space(workdir, fewest_free_bytes=2**63)
    assert sorted(workdir.rglob("*")) == [workdir / HOME, workdir / TEMPORARY]


def test_an_attempt_that_is_over_still_hands_in_the_work_so_far(sandbox: Sandbox) -> None:
    sandbox.gateway.deadline_seconds = 4
    process = waiting(sandbox)
    sandbox.gateway.on_step("heartbeat", refusal(410, "attempt_finished"))
    assert process.wait(PATIENCE_SECONDS) == 3, sandbox.printed()
    assert sandbox.gateway.of("task.patch")[0].data["partial"] is True
    assert FIXED in sandbox.gateway.patch


def test_a_sandbox_that_is_stopped_keeps_the_work_so_far(sandbox: Sandbox) -> None:
    process = waiting(sandbox)
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 143, sandbox.printed()
    assert FIXED in sandbox.gateway.patch
    assert sandbox.gateway.last.step == "patch", "no last event: a later start goes on"


def test_a_terminal_that_closes_keeps_the_work_so_far(sandbox: Sandbox) -> None:
    sandbox.output = Path("/dev/full")
    process = waiting(sandbox)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE_SECONDS) == 143
    assert FIXED in sandbox.gateway.patch


def test_a_runner_that_was_killed_hands_in_the_work_at_its_next_start(sandbox: Sandbox) -> None:
    process = waiting(sandbox)
    sandbox.kill(process)
    sandbox.agent_is("echo '# whole' >> widgets.py")
    assert sandbox.run() == 0, sandbox.printed()
    first, second = sandbox.gateway.of("task.patch")
    assert first.data["partial"] is True
    assert FIXED in str(first.data["chunk"])
    assert second.data["revision"] == 2
    assert "# whole" in sandbox.gateway.patch
    assert FIXED not in sandbox.gateway.patch


def test_a_runner_killed_after_its_agent_pays_no_agent_again(sandbox: Sandbox) -> None:
    there = sandbox.shared / "there"
    sandbox.agent_is(FIX)
    sandbox.validates(["sh", "-c", f"touch {there}; sleep 600"])
    process = sandbox.start()
    until(there.exists, "validation")
    sandbox.kill(process)
    sandbox.agent_is(f"touch {sandbox.shared}/paid-again")
    sandbox.validates(["true"])
    assert sandbox.run() == 0, sandbox.printed()
    assert not (sandbox.shared / "paid-again").exists()
    assert sandbox.gateway.last.type == "task.completed"
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert len(sandbox.gateway.of("task.patch")) == 1


def test_a_patch_is_gone_on_with_by_the_secrets_of_its_variables(sandbox: Sandbox) -> None:
    there, word = sandbox.shared / "there", "postgres12"
    sandbox.environ["DB_PASSWORD"] = word
    sandbox.agent_is(f"echo url={word} > settings")
    sandbox.validates(["sh", "-c", f"touch {there}; sleep 600"])
    process = sandbox.start()
    until(there.exists, "validation")
    sandbox.kill(process)
    sandbox.agent_is(f"touch {sandbox.shared}/paid-again")
    sandbox.validates(["true"])
    assert sandbox.run() == 0, sandbox.printed()
    assert not (sandbox.shared / "paid-again").exists()
    assert "+url=[redacted DB_PASSWORD 0]" in sandbox.gateway.patch
    assert sandbox.remote.show(BRANCH, "settings") == f"url={word}"


def test_validation_that_cannot_be_done_does_not_stop_the_push(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.validates(["sh", "-c", 'rm -rf "$PWD"'], ["true"])
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")


def test_what_is_left_out_is_named_in_the_pull_request_and_the_rest_goes(sandbox: Sandbox) -> None:
    sandbox.makes_environments()
    sandbox.agent_is(
        f"{FIX}; python3 -m venv --without-pip venv; ln -s /etc/passwd link; git init -q inner;"
        " touch inner/x; truncate -s 1M core; ln -s /nowhere/node_modules node_modules"
    )
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert sandbox.remote.files(BRANCH) == sorted([*sandbox.remote.files("main"), "core"])
    body = str(sandbox.github.pulls[0]["body"])
    for name in ("`venv`", "`link`", "`inner/`", "`node_modules`"):
        assert name in str(last.data["warnings"])
        assert name in body


def test_only_one_clone_is_made_of_the_remote(sandbox: Sandbox) -> None:
    shutil.move(sandbox.remote.path, sandbox.remote.path.with_suffix(".real"))
    sandbox.remote.path.symlink_to(sandbox.remote.path.with_suffix(".real"))
    process = waiting(sandbox)
    git("config", "uploadpack.packObjectsHook", "false", at=sandbox.remote.path)
    assert finished(sandbox, process) == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", "nothing was fetched after the first"
