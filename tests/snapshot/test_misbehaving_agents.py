"""Models and agents that do not behave."""

import json

from tests.snapshot.model_stub import DONE, chatter
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, Sandbox


def error_of(sandbox: Sandbox) -> dict[str, object]:
    """The error of a failed attempt."""
    assert sandbox.gateway.last.type == "task.failed", sandbox.gateway.last
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    return error


def test_chatter_without_tool_calls_is_a_failure_that_says_so(sandbox: Sandbox) -> None:
    sandbox.model.answer = lambda turn: chatter("I would love to help!")
    assert sandbox.run() == 1, sandbox.said()
    error = error_of(sandbox)
    assert (error["stage"], error["code"], error["retryable"]) == ("agent", "model_garbage", True)
    assert len(sandbox.model.requests) == 3


def test_an_endless_loop_is_ended_after_four_identical_steps(sandbox: Sandbox) -> None:
    sandbox.model.commands = ["ls"]
    assert sandbox.run() == 1, sandbox.said()
    assert error_of(sandbox)["code"] == "agent_stuck"
    assert len(sandbox.model.requests) == 4


def test_a_loop_that_changed_something_first_is_kept_for_review(sandbox: Sandbox) -> None:
    sandbox.model.commands = [FIX, "ls"]
    assert sandbox.run() == 0, sandbox.said()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "The agent did not finish (agent_stuck)" in str(last.data["summary"])
    assert last.data["prUrl"], "unfinished work is pushed as a draft too"


def test_no_changes_need_a_review_and_leave_no_branch(sandbox: Sandbox) -> None:
    sandbox.model.commands = [DONE]
    assert sandbox.run() == 0, sandbox.said()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "changed nothing" in str(sandbox.gateway.last.data["summary"])
    assert BRANCH not in sandbox.remote.branches()
    assert not sandbox.github.pulls


def test_removing_the_checkout_pushes_nothing_and_is_named(sandbox: Sandbox) -> None:
    sandbox.model.commands = ['rm -rf "$PWD"', "ls", DONE]
    assert sandbox.run() == 0, sandbox.said()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "removed its whole checkout" in str(sandbox.gateway.last.data["summary"])
    assert BRANCH not in sandbox.remote.branches()


def test_removing_everything_around_it_does_not_silence_the_attempt(sandbox: Sandbox) -> None:
    sandbox.agent_is('rm -rf "$(realpath "$HOME/../..")"')
    assert sandbox.run() == 0, sandbox.gateway.last
    assert sandbox.gateway.last.type == "task.needs_review"
    assert sandbox.spooled()[-1]["id"] == sandbox.gateway.last.id, "the spool was written again"


def test_deleting_all_files_is_refused(sandbox: Sandbox) -> None:
    sandbox.agent_is("rm -rf -- * .git*")
    assert sandbox.run() == 0, sandbox.said()
    assert "deletes every file" in str(sandbox.gateway.last.data["summary"])
    assert BRANCH not in sandbox.remote.branches()


def test_removing_the_git_directory_does_not_matter(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"rm -rf .git; {FIX}")
    assert sandbox.run() == 0, sandbox.said()
    assert sandbox.gateway.last.type == "task.completed"


def test_huge_output_is_bounded_on_its_way_to_the_model_and_the_gateway(sandbox: Sandbox) -> None:
    sandbox.model.commands = ["yes slipgate | head -c 200000000", FIX, DONE]
    assert sandbox.run() == 0, sandbox.said()
    assert "left out" in sandbox.model.observations[0]
    assert len(sandbox.model.observations[0]) < 20_000
    logged = sum(len(str(word.data["chunk"])) for word in sandbox.gateway.of("task.log"))
    assert logged < 100_000
    assert sandbox.gateway.last.type == "task.completed"


def test_processes_left_behind_are_killed(sandbox: Sandbox) -> None:
    late = sandbox.root / "late"
    daemon = f"sleep 0.3; while :; do date > {late}; done"
    sandbox.agent_is(f"{FIX}; (setsid setsid sh -c '{daemon}' > /dev/null 2>&1 &)")
    sandbox.validates(["sh", "-c", f"sleep 0.5; test ! -e {late}"])
    assert sandbox.run() == 0, sandbox.said()
    assert sandbox.gateway.last.type == "task.completed"


def test_an_agent_that_kills_its_keeper_does_not_survive_it(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; kill -9 $PPID; sleep 30; touch late.txt")
    assert sandbox.run(25) == 0, sandbox.said()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "late.txt" not in sandbox.remote.files(BRANCH)


def test_a_command_no_shell_could_take_is_answered(sandbox: Sandbox) -> None:
    sandbox.model.commands = ["echo a\0b", "echo \ud800", FIX, DONE]
    assert sandbox.run() == 0, sandbox.said()
    assert sandbox.gateway.last.type == "task.completed"
    assert "NUL" in sandbox.model.observations[0]


def test_turns_are_limited(sandbox: Sandbox) -> None:
    sandbox.model.answer = None
    sandbox.model.commands = ["echo 1", "echo 2", "echo 3", "echo 4"]
    agent = {"engine": "mini", "command": None, "maxTurns": 2, "maxCostUsd": 3.0}
    assert sandbox.run(SLIPGATE_AGENT=json.dumps(agent)) == 1, sandbox.said()
    assert error_of(sandbox)["code"] == "max_turns"
    assert len(sandbox.model.requests) == 2


def test_an_agents_time_is_limited_so_that_its_work_can_still_be_pushed(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; sleep 600")
    assert sandbox.run(SLIPGATE_RUN_SECONDS="40") == 0, sandbox.said()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "agent_time_over" in str(last.data["summary"])
    assert last.data["prUrl"]
