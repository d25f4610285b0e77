"""Checks that do not pass go back to the agent, while its limits last."""

import json

import pytest

from tests.snapshot.model_stub import DONE
from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, Sandbox

CHECK = ["sh", "-c", "if grep '3 [*] n' widgets.py; then exit 2; fi"]
"""Passes on the base, and not with the wrong change."""
WRONG = "sed -i 's/n + n + 1/3 * n/' widgets.py"


def agent_does(sandbox: Sandbox, *rounds: str, most: int = 1) -> None:
    """Let each run of the agent do its own script, the first one first, and keep its prompt."""
    shared = sandbox.shared
    cases = "".join(f"{number}) {script};; " for number, script in enumerate(rounds))
    script = (
        f"n=$(ls {shared} | grep prompt | wc -l); cat > {shared}/prompt.$n; case $n in {cases}esac;"
    )
    agent = {"engine": "command", "command": ["bash", "-ec", script], "maxRepairRounds": most}
    sandbox.environ["SLIPGATE_AGENT"] = json.dumps(agent)


def prompts(sandbox: Sandbox) -> list[str]:
    """The prompts of all runs, in order."""
    return [path.read_text() for path in sorted(sandbox.shared.glob("prompt.*"))]


def test_a_failed_check_goes_back_with_its_receipt_and_is_mended(sandbox: Sandbox) -> None:
    agent_does(sandbox, f"{WRONG}; echo First.", f"git checkout -q widgets.py; {FIX}; echo Second.")
    sandbox.validates(CHECK)
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.completed"
    first, second = prompts(sandbox)
    assert "# Repair" not in first
    for words in (sandbox.environ["AGENT_PROMPT"], "First.", "exit code 2", "return 3 * n"):
        assert words in second
    assert [piece.data.get("revision", 1) for piece in sandbox.gateway.of("task.patch")] == [1, 2]
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert str(last.data["summary"]).startswith("Second.")
    assert "1 repair round." in str(last.data["summary"])
    messages = [str(event.data["message"]) for event in sandbox.gateway.of("task.progress")]
    assert any(message.startswith("Repair round 1 of 1: ") for message in messages)


@pytest.mark.parametrize(("most", "runs"), [(0, 1), (2, 3)], ids=["none", "two"])
def test_there_are_as_many_rounds_as_the_task_allows(
    sandbox: Sandbox, most: int, runs: int
) -> None:
    more = f"{WRONG}; echo '# more' >> widgets.py"
    agent_does(sandbox, *[more] * 4, most=most)
    sandbox.validates(CHECK)
    assert sandbox.run() == 0, sandbox.printed()
    assert len(prompts(sandbox)) == runs
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert ("2 repair rounds." in str(last.data["summary"])) == bool(most)


def test_a_check_that_no_change_can_mend_is_not_sent_back(sandbox: Sandbox) -> None:
    agent_does(sandbox, FIX)
    sandbox.validates(["no-such-tool"], ["false"])
    assert sandbox.run() == 0, sandbox.printed()
    assert len(prompts(sandbox)) == 1


@pytest.mark.parametrize(
    ("repair", "reason"),
    [
        ("rm widgets.py; exit 3", "the agent did not finish (agent_failed)"),
        ("true", "the agent changed nothing"),
        ("git checkout -q .", "the agent took back all its changes"),
    ],
    ids=["fails", "nothing", "takes back"],
)
def test_a_round_that_gives_nothing_keeps_the_work_as_it_was(
    sandbox: Sandbox, repair: str, reason: str
) -> None:
    agent_does(sandbox, WRONG, repair, most=2)
    sandbox.validates(CHECK)
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert f"1 repair round; in the last one {reason}" in str(last.data["summary"])
    assert "3 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert len(sandbox.gateway.of("task.patch")) == 1


def test_an_agent_that_did_not_finish_is_not_asked_to_repair(sandbox: Sandbox) -> None:
    agent_does(sandbox, f"{WRONG}; exit 1")
    sandbox.validates(CHECK)
    assert sandbox.run() == 0, sandbox.printed()
    assert len(prompts(sandbox)) == 1
    assert "repair round" not in str(sandbox.gateway.last.data["summary"])


def test_limits_are_for_all_rounds_and_the_conversation_goes_on(sandbox: Sandbox) -> None:
    sandbox.environ["SLIPGATE_AGENT"] = json.dumps({"maxTurns": 4})
    sandbox.model.commands = [WRONG, DONE, "true", "ls", "pwd"]
    sandbox.validates(CHECK)
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "in the last one the agent did not finish (max_turns)" in str(last.data["summary"])
    assert sandbox.gateway.of("task.usage")[-1].data["turns"] == 4
    record = json.loads((sandbox.state / "trajectory.json").read_text())
    for messages in (record["messages"], sandbox.model.requests[-1].json()["messages"]):
        words = json.dumps(messages)
        assert words.index(WRONG) < words.index("# Repair")


def test_a_runner_killed_in_a_repair_takes_up_the_newest_whole_work(sandbox: Sandbox) -> None:
    there = sandbox.shared / "there"
    agent_does(sandbox, WRONG, f"rm widgets.py; touch {there}; sleep 600")
    sandbox.validates(CHECK)
    process = sandbox.start()
    until(there.exists, "the repair")
    sandbox.kill(process)
    assert not (sandbox.state / "work.json").exists(), "nobody takes the half repair for the work"
    assert sandbox.run() == 0, sandbox.printed()
    assert len(prompts(sandbox)) == 2, "no agent is paid again"
    assert "3 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert len(sandbox.gateway.of("task.patch")) == 1


def test_work_of_an_earlier_attempt_is_repaired_when_it_is_taken_up(sandbox: Sandbox) -> None:
    agent_does(sandbox, f"{WRONG}; echo new > new.txt; echo First.", most=0)
    sandbox.validates(CHECK)
    away = sandbox.remote.path.with_name("away.git")
    there, go = sandbox.shared / "there", sandbox.shared / "go"
    sandbox.validates(["sh", "-c", f"touch {there}; until [ -e {go} ]; do sleep 0.02; done"])
    process = sandbox.start()
    until(there.exists, "the validation")
    sandbox.remote.path.rename(away)
    go.touch()
    process.wait(PATIENCE_SECONDS)
    away.rename(sandbox.remote.path)
    assert sandbox.gateway.last.data["resumable"] is True
    sandbox.gateway.leaves()
    agent_does(sandbox, "exit 9", f"git checkout -q widgets.py; {FIX}; echo Second.", most=1)
    sandbox.validates(CHECK)
    url = f"{sandbox.gateway.http.url}/v1/agent/patch?taskId=task_1&attempt=2"
    state = str(sandbox.root / "second")
    code = sandbox.run(SLIPGATE_ATTEMPT="2", SLIPGATE_STATE_DIR=state, SLIPGATE_RESUME_URL=url)
    assert code == 0, sandbox.printed()
    assert len(prompts(sandbox)) == 2
    assert sandbox.remote.show(BRANCH, "new.txt") == "new"
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert sandbox.gateway.last.type == "task.completed"
    assert "First." in prompts(sandbox)[-1]
