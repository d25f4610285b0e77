"""Models and agents that do not behave."""

import json
import threading
from typing import Final

from tests.snapshot.http_stub import Response
from tests.snapshot.model_stub import DONE, chatter, completion, tool_call
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, Sandbox

PIPE_BYTES: Final = 65_536
"""The capacity of a pipe."""


def error_of(sandbox: Sandbox) -> dict[str, object]:
    """The error of a failed attempt."""
    assert sandbox.gateway.last.type == "task.failed", sandbox.gateway.last
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    return error


def test_chatter_without_tool_calls_is_a_failure_that_says_so(sandbox: Sandbox) -> None:
    sandbox.model.answer = lambda turn: chatter("I would love to help!")
    assert sandbox.run() == 1, sandbox.printed()
    error = error_of(sandbox)
    assert (error["stage"], error["code"], error["retryable"]) == ("agent", "model_garbage", True)
    assert len(sandbox.model.requests) == 3


def test_a_loop_that_changed_something_first_is_kept_for_review(sandbox: Sandbox) -> None:
    sandbox.model.commands = [FIX, "ls"]
    assert sandbox.run() == 0, sandbox.printed()
    assert len(sandbox.model.requests) == 1 + 4, "four identical steps"
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "The agent did not finish (agent_stuck)" in str(last.data["summary"])
    assert last.data["prUrl"], "unfinished work is pushed as a draft too"


def test_no_changes_need_a_review_and_leave_no_branch(sandbox: Sandbox) -> None:
    sandbox.agent_is("true")
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "changed nothing" in str(sandbox.gateway.last.data["summary"])
    assert BRANCH not in sandbox.remote.branches()
    assert not sandbox.github.pulls


def test_a_checkout_cannot_be_removed_but_emptied_and_that_is_named(sandbox: Sandbox) -> None:
    sandbox.model.commands = ['rm -rf "$PWD"; mv "$PWD" "$PWD.old"', "ls", DONE]
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "deletes every file" in str(sandbox.gateway.last.data["summary"])
    assert BRANCH not in sandbox.remote.branches()


def test_removing_everything_around_it_does_not_silence_the_attempt(sandbox: Sandbox) -> None:
    sandbox.agent_is('rm -rf "$(realpath "$HOME/../..")"')
    assert sandbox.run() == 0, sandbox.gateway.last
    assert sandbox.gateway.last.type == "task.needs_review"
    assert sandbox.spooled()[-1]["id"] == sandbox.gateway.last.id, "the spool was written again"


def test_huge_output_is_bounded_and_a_command_that_no_shell_could_take_is_answered(
    sandbox: Sandbox,
) -> None:
    huge = "yes slipgate | head -c 50000000"
    sandbox.model.commands = [huge, "echo a\0b", "echo \ud800", FIX, DONE]
    assert sandbox.run() == 0, sandbox.printed()
    assert "left out" in sandbox.model.observations[0]
    assert len(sandbox.model.observations[0]) < 20_000
    assert "NUL" in sandbox.model.observations[1]
    logged = sum(len(str(event.data["chunk"])) for event in sandbox.gateway.of("task.log"))
    assert logged < 100_000
    assert sandbox.gateway.last.type == "task.completed"


def test_an_agent_without_git_kills_nobody_outside_and_leaves_no_process(
    sandbox: Sandbox,
) -> None:
    """It removes its git directory, tries to kill the processes around it, and leaves one."""
    late, outside = sandbox.shared / "late", "$PPID $(cut -d' ' -f4 /proc/$PPID/stat)"
    daemon = f"sleep 0.3; while :; do date > {late}; done"
    sandbox.agent_is(
        f"rm -rf .git; {FIX}; for p in {outside}; do kill -9 $p && touch killed.txt; done;"
        f" (setsid setsid sh -c '{daemon}' > /dev/null 2>&1 &)"
    )
    sandbox.validates(["sh", "-c", f"sleep 0.5; test ! -e {late}"])
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"
    assert "killed.txt" not in sandbox.remote.files(BRANCH)


def test_turns_are_limited(sandbox: Sandbox) -> None:
    sandbox.model.answer = None
    sandbox.model.commands = ["echo 1", "echo 2", "echo 3", "echo 4"]
    agent = {"engine": "mini", "command": None, "maxTurns": 2, "maxCostUsd": 3.0}
    assert sandbox.run(SLIPGATE_AGENT=json.dumps(agent)) == 1, sandbox.printed()
    assert error_of(sandbox)["code"] == "max_turns"
    assert len(sandbox.model.requests) == 2


def test_an_agents_time_is_limited_so_that_its_work_can_still_be_pushed(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; sleep 600")
    assert sandbox.run(SLIPGATE_RUN_SECONDS="40") == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "agent_time_over" in str(last.data["summary"])
    assert last.data["prUrl"]


def _called(arguments: object) -> dict[str, object]:
    function = {"name": "bash", "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


UNUSABLE = [
    completion(_called(5)),
    completion(_called([1, 2])),
    completion(_called({"command": 7})),
    completion(_called('{"command": "echo \\ud800"}')),
    completion(_called("[" * 100_000)),
    completion({"role": "assistant", "content": ["a", 5]}),
    completion({"role": "assistant", "content": "\ud800 lone"}),
    completion({"role": "assistant", "content": "", "tool_calls": [None, 5, "x"]}),
]
"""Answers that call nothing which could be run, or that no text can be made of."""


def test_a_model_learns_of_each_unusable_answer_and_goes_on(sandbox: Sandbox) -> None:
    usable = [tool_call(f"echo {turn}") for turn in range(len(UNUSABLE))]
    pairs = zip(UNUSABLE, usable, strict=True)
    answers = [tool_call(FIX), *(each for pair in pairs for each in pair), tool_call(DONE)]
    sandbox.model.answer = lambda turn: answers[turn]
    assert sandbox.run(MODEL="without-a-price") == 0, sandbox.printed()
    assert len(sandbox.model.requests) == len(answers)
    assert sandbox.gateway.last.type == "task.completed", sandbox.gateway.last
    assert "price of the model is unknown" in str(sandbox.gateway.last.data["warnings"])
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")


def test_whatever_a_model_answers_the_work_so_far_goes_out(sandbox: Sandbox) -> None:
    """`test_misbehaving_models` has the kinds of garbage; each ends its agent alike."""
    garbage = Response(content=b"\xff\xfe<html>")
    sandbox.model.answer = lambda turn: tool_call(FIX) if turn == 0 else garbage
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review", last
    assert "model_garbage" in str(last.data["summary"])
    assert last.data["prUrl"]
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")


def test_numbers_that_are_none_do_not_end_a_run(sandbox: Sandbox) -> None:
    counts: list[object] = [-5, "many", None, 1e300, True, 10**400]

    def answer(turn: int) -> Response:
        response = tool_call([FIX, *map("echo {}".format, range(4)), DONE][turn])
        count = counts[turn]
        usage = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": count}
        assert isinstance(response.content, dict)
        return Response(content={**response.content, "usage": usage})

    sandbox.model.answer = answer
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", sandbox.gateway.last
    for event in sandbox.gateway.of("task.usage"):
        tokens = event.data["inputTokens"]
        assert isinstance(tokens, int)
        assert 0 <= tokens <= 2**53
    assert sandbox.gateway.of("task.usage")[-1].data["turns"] == len(counts)


def test_a_model_that_never_answers_leaves_time_for_what_comes_after_it(sandbox: Sandbox) -> None:
    over = threading.Event()

    def answer(turn: int) -> Response:
        if turn == 0:
            return tool_call(FIX)
        over.wait()
        return Response(status=500)

    sandbox.model.answer = answer
    assert sandbox.run(SLIPGATE_RUN_SECONDS="40") == 0, sandbox.printed()
    over.set()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "did not answer within" in str(last.data["summary"])
    assert last.data["prUrl"]


def test_more_new_files_than_a_pipe_holds_go_out(sandbox: Sandbox) -> None:
    name = "a_file_with_a_long_name_" * 10
    sandbox.agent_is(f"mkdir new; cd new; for i in $(seq 300); do echo $i > {name}$i.txt; done")
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", sandbox.gateway.last
    new = set(sandbox.remote.files(BRANCH)) - set(sandbox.remote.files("main"))
    assert (len(new), len("".join(new)) > PIPE_BYTES) == (300, True)
