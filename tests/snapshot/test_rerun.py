"""The entrypoint runs again at every start of the sandbox: it must go on, not begin twice."""

from tests.snapshot.gateway_stub import refusal
from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, Sandbox


def test_killed_while_the_agent_works_it_begins_from_a_clean_slate(sandbox: Sandbox) -> None:
    alive = sandbox.shared / "alive"
    sandbox.agent_is(f"{FIX}; touch left.txt; while :; do touch {alive}; sleep 0.02; done")
    process = sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    until(alive.exists, "the agent's work")
    sandbox.kill(process)

    sandbox.agent_is(f"rm {alive}; sleep 0.3; test ! -e {alive} && {FIX}")
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", "no command of the first start lives"
    assert "left.txt" not in sandbox.remote.files(BRANCH)
    assert len(sandbox.github.pulls) == 1


def test_killed_after_the_push_it_opens_the_pull_request_without_the_agent(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(FIX)
    sandbox.gateway.on_step("progress:pr", refusal(503, "unavailable", retry_after="0"))
    process = sandbox.start()
    until(lambda: BRANCH in sandbox.remote.branches(), "the push")
    sandbox.kill(process)
    pushed = sandbox.remote.branches()[BRANCH]

    sandbox.gateway.reactions.clear()
    sandbox.agent_is("exit 1")
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.completed"
    assert sandbox.remote.branches()[BRANCH] == pushed == last.data["commitSha"]
    assert last.data["prUrl"] == sandbox.github.pulls[0]["html_url"]
    assert "+    return 2 * n" in str(last.data["patch"])
    assert "passed" in str(last.data["validation"]), "its receipts were in the spool"


def test_after_its_final_event_it_only_finishes_reporting(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.gateway.on_step("completed", refusal(503, "unavailable", retry_after="0"))
    assert sandbox.run(SLIPGATE_DELIVERY_SECONDS="0.2") == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.pr_created"

    sandbox.gateway.reactions.clear()
    sandbox.agent_is(f"touch {sandbox.shared}/again")
    spooled = len(sandbox.spooled())
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"
    assert not (sandbox.shared / "again").exists()
    assert len(sandbox.spooled()) == spooled


def test_totals_and_log_go_on_where_they_were(sandbox: Sandbox) -> None:
    sandbox.model.commands = [f"touch {sandbox.shared}/go; sleep 600"]
    process = sandbox.start()
    until((sandbox.shared / "go").exists, "the agent's work")
    sandbox.gateway.wait_for(lambda event: event.type == "task.usage")
    sandbox.kill(process)

    sandbox.model.commands = [FIX, "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"]
    sandbox.model.requests.clear()
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.of("task.usage")[-1].data["turns"] == 3
    end = 0
    for event in sandbox.gateway.of("task.log"):
        assert event.data["offset"] == end
        end += len(str(event.data["chunk"]).encode())


def test_two_runners_never_share_an_attempt(sandbox: Sandbox) -> None:
    sandbox.agent_is("sleep 600")
    sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    assert sandbox.run() == 5, sandbox.printed()
    assert "another runner of this attempt" in sandbox.printed()


def test_sigterm_stops_it_without_a_final_event_so_that_a_later_start_goes_on(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is("sleep 600")
    process = sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 143, sandbox.printed()
    assert sandbox.gateway.steps[-1] == "progress:agent"

    sandbox.agent_is(FIX)
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"


def test_in_daytona_a_later_start_only_reports_what_an_earlier_one_left(
    sandbox: Sandbox,
) -> None:
    there = sandbox.shared / "there"
    sandbox.agent_is(f"{FIX}; touch {there}; sleep 600")
    process = sandbox.start(DAYTONA_SANDBOX_ID="s")
    until(there.exists, "the agent's work")
    sandbox.kill(process)

    sandbox.agent_is(f"touch {sandbox.shared}/paid-again")
    assert sandbox.run(DAYTONA_SANDBOX_ID="s") == 143, sandbox.printed()
    assert not (sandbox.shared / "paid-again").exists()
    assert sandbox.gateway.last.step == "patch"
    assert "2 * n" in sandbox.gateway.patch


def test_the_branch_of_an_earlier_attempt_is_replaced(sandbox: Sandbox) -> None:
    sandbox.remote.push(
        BRANCH, {"old.txt": "1"}, "Old\n\nSlipgate-Task: task_1\nSlipgate-Attempt: 1"
    )
    sandbox.agent_is(FIX)
    assert sandbox.run(SLIPGATE_ATTEMPT="2") == 0, sandbox.printed()
    assert sandbox.gateway.last.data["commitSha"] == sandbox.remote.branches()[BRANCH]
    assert "old.txt" not in sandbox.remote.files(BRANCH)


def test_somebody_elses_branch_is_never_touched(sandbox: Sandbox) -> None:
    sandbox.remote.push(BRANCH, {"theirs.txt": "1"}, "Theirs")
    theirs = sandbox.remote.branches()[BRANCH]
    sandbox.agent_is(f"touch {sandbox.shared}/ran")
    assert sandbox.run() == 1, sandbox.printed()
    assert "branch_exists" in str(sandbox.gateway.last.data["error"])
    assert sandbox.remote.branches()[BRANCH] == theirs
    assert not (sandbox.shared / "ran").exists(), "no model is paid for work that cannot go out"


def test_a_branch_that_appears_meanwhile_is_never_overwritten(sandbox: Sandbox) -> None:
    go = sandbox.root / "go"
    sandbox.agent_is(f"until [ -e {go} ]; do sleep 0.02; done; {FIX}")
    process = sandbox.start()
    sandbox.gateway.wait_for(lambda event: event.step == "progress:agent")
    sandbox.remote.push(BRANCH, {"theirs.txt": "1"}, "Theirs")
    theirs = sandbox.remote.branches()[BRANCH]
    go.touch()
    assert process.wait(PATIENCE_SECONDS) == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "branch_exists" in str(last.data["summary"])
    assert "2 * n" in str(last.data["patch"])
    assert sandbox.remote.branches()[BRANCH] == theirs
