"""A runner that dies is told of within seconds, with what its agent has done."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, SECRETS, Sandbox

pytestmark = pytest.mark.usefixtures("from_entrypoint")


def runner_of(process: "subprocess.Popen[bytes]") -> int:
    """The supervisor's child."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: bool(children.read_text().split()), "the runner")
    return int(children.read_text().split()[0])


def at_work(sandbox: Sandbox) -> "subprocess.Popen[bytes]":
    """A start whose agent has changed a file and goes on."""
    there = sandbox.shared / "there"
    sandbox.agent_is(f"{FIX}; touch {there}; sleep 600")
    process = sandbox.start()
    until(there.exists, "the agent's work")
    return process


def test_a_runner_that_is_killed_leaves_the_work_so_far(sandbox: Sandbox) -> None:
    process = at_work(sandbox)
    os.kill(runner_of(process), signal.SIGKILL)
    assert process.wait(PATIENCE_SECONDS) == 1, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.failed"
    assert last.data["error"] == {
        "stage": "agent",
        "code": "runner_died",
        "message": "the runner was killed by SIGKILL (out of memory?)",
        "retryable": True,
    }
    assert "resumable" not in last.data
    assert sandbox.gateway.of("task.patch")[0].data["partial"] is True
    assert "+    return 2 * n" in sandbox.gateway.patch
    assert not list(sandbox.state.glob("work-*"))


def test_a_runner_killed_behind_its_agent_leaves_work_that_can_be_gone_on_from(
    sandbox: Sandbox,
) -> None:
    there = sandbox.shared / "there"
    sandbox.agent_is(FIX)
    sandbox.validates(["sh", "-c", f"touch {there}; sleep 600"])
    process = sandbox.start()
    until(there.exists, "validation")
    os.kill(runner_of(process), signal.SIGKILL)
    assert process.wait(PATIENCE_SECONDS) == 1, sandbox.printed()
    last = sandbox.gateway.last
    assert last.data["resumable"] is True
    assert "'stage': 'validate'" in str(last.data["error"])
    assert len(sandbox.gateway.of("task.patch")) == 1, "it was told before"
    assert BRANCH not in sandbox.remote.branches()


@pytest.mark.parametrize("has_failed", [False, True])
def test_a_runner_killed_while_it_makes_the_patch_leaves_the_same_if_its_agent_was_done(
    sandbox: Sandbox, has_failed: bool
) -> None:
    there, git = sandbox.shared / "there", sandbox.root / "programs" / "git"
    git.parent.mkdir()
    once = (
        f'case " $* " in *" write-tree "*) [ -e {there} ] || {{ touch {there}; sleep 600; }};; esac'
    )
    git.write_text(f'#!/bin/sh\n{once}\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    sandbox.environ["PATH"] = f"{git.parent}{os.pathsep}{sandbox.environ['PATH']}"
    sandbox.agent_is(f"{FIX}; exit 1" if has_failed else FIX)
    process = sandbox.start()
    until(there.exists, "the patch")
    os.kill(runner_of(process), signal.SIGKILL)
    assert process.wait(PATIENCE_SECONDS) == 1, sandbox.printed()
    (patch,) = sandbox.gateway.of("task.patch")
    assert patch.data.get("partial", False) is has_failed
    assert sandbox.gateway.last.data.get("resumable", False) is not has_failed


def test_its_death_before_the_first_event_is_reported_too(sandbox: Sandbox) -> None:
    sandbox.agent_is("sleep 600")
    process = sandbox.start()
    until(lambda: "scripts=" in sandbox.printed(), "the runner")
    os.kill(runner_of(process), signal.SIGSEGV)
    assert process.wait(PATIENCE_SECONDS) == 1, sandbox.printed()
    error = str(sandbox.gateway.last.data["error"])
    assert "runner_died" in error
    assert "'the runner was killed by SIGSEGV'" in error


def test_the_supervisor_has_the_lock_shows_no_secret_and_takes_all_with_it(
    sandbox: Sandbox,
) -> None:
    process = at_work(sandbox)
    assert (sandbox.state / "lock").read_text() == str(process.pid)
    for one in (process.pid, runner_of(process)):
        shown = Path(f"/proc/{one}/environ").read_text() + Path(f"/proc/{one}/cmdline").read_text()
        assert not [name for name, value in SECRETS.items() if name in shown or value in shown]

    runner = Path(f"/proc/{runner_of(process)}")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not runner.exists(), "the runner's end")


@pytest.mark.parametrize("is_alive", [True, False], ids=["alive", "ended before"])
def test_a_runner_ends_with_its_supervisor_also_if_that_ended_first(is_alive: bool) -> None:
    """A runner whose supervisor has ended is another process's child."""
    script = (
        "import os; from snapshot.runner.agent.reaper import die_with_parent;"
        f"die_with_parent(os.getppid() + {int(not is_alive)}); print('at work')"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == ((0, b"at work\n") if is_alive else (-9, b""))
