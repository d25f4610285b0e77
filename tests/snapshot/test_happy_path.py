"""One task from its environment to its pull request."""

import json

import pytest

from gateway.wire.receipts import is_signed
from gateway.wire.signing import secret_bytes
from tests.snapshot.repositories import FIX, git
from tests.snapshot.sandbox import BRANCH, SECRETS, Sandbox

SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT; echo 'Doubled. <!-- nobody sees me -->'"


@pytest.mark.usefixtures("from_entrypoint")
def test_a_model_fixes_a_failing_test_and_all_of_it_is_reported_validated_pushed_and_proposed(
    sandbox: Sandbox,
) -> None:
    sandbox.makes_environments()
    sandbox.validates_as_declared()
    sandbox.model.commands = ["cat widgets.py; exit 3", FIX, "make test", SUBMIT]
    assert sandbox.run() == 0, sandbox.printed()
    the_change_goes_out(sandbox)
    every_step_is_reported_before_it_begins(sandbox)
    the_model_gets_the_task_and_the_output_of_its_commands(sandbox)
    turns_and_totals_are_reported(sandbox)
    the_receipts_are_signed(sandbox)
    the_commit_names_its_task(sandbox)
    the_pull_request_is_a_draft_with_the_receipts(sandbox)
    the_trajectory_is_kept_and_the_checkouts_are_not(sandbox)


def the_change_goes_out(done: Sandbox) -> None:
    last = done.gateway.last
    assert last.type == "task.completed"
    assert last.data["prUrl"] == "https://github.test/acme/widgets/pull/1"
    assert last.data["branchName"] == BRANCH
    assert last.data["commitSha"] == done.remote.branches()[BRANCH]
    assert "-    return n + n + 1\n+    return 2 * n\n" in str(last.data["patch"])
    assert last.data["summary"] == "Doubled.\n\nValidation passed: `make test`."
    assert "return 2 * n" in done.remote.show(BRANCH, "widgets.py")
    assert done.remote.files(BRANCH) == done.remote.files("main")


def every_step_is_reported_before_it_begins(done: Sandbox) -> None:
    steps = [step for step in done.gateway.steps if step != "usage"]
    assert [
        step for step, before in zip(steps, [None, *steps], strict=False) if step != before
    ] == [
        "started",
        "progress:setup",
        "progress:clone",
        "progress:agent",
        "progress:patch",
        "patch",
        "progress:validate",
        "progress:push",
        "progress:pr",
        "pr_created",
        "trajectory",
        "completed",
    ]


def the_model_gets_the_task_and_the_output_of_its_commands(done: Sandbox) -> None:
    assert "It is off by one." in done.model.requests[0].body.decode()
    assert "exit code 3" in done.model.observations[0]
    assert "return n + n + 1" in done.model.observations[0]


def turns_and_totals_are_reported(done: Sandbox) -> None:
    turns = [event.data["message"] for event in done.gateway.of("task.progress")]
    assert "turn 3 of 60" in turns
    usage = done.gateway.of("task.usage")[-1].data
    assert (usage["inputTokens"], usage["outputTokens"], usage["turns"]) == (4000, 40, 4)
    assert usage["costUsd"] == 0.0054


def the_receipts_are_signed(done: Sandbox) -> None:
    last, key = done.gateway.last.data, secret_bytes(SECRETS["SLIPGATE_WEBHOOK_SECRET"])
    given = str(last["receiptsSignature"])
    assert is_signed(key, "task_1", 1, last["validation"], given)


def the_commit_names_its_task(done: Sandbox) -> None:
    message = git("log", "-1", "--format=%an <%ae>%n%B", BRANCH, at=done.remote.path)
    assert message == (
        "slipgate <slipgate@users.noreply.github.com>\n"
        "Fix double()\n\nDoubled.\n\nSlipgate-Task: task_1\nSlipgate-Attempt: 1"
    )


def the_pull_request_is_a_draft_with_the_receipts(done: Sandbox) -> None:
    (pull,) = done.github.pulls
    assert pull["draft"] is True
    assert (pull["title"], pull["head"], pull["base"]) == ("Fix double()", BRANCH, "main")
    assert "| `make test` | 0 |" in str(pull["body"])
    assert "task `task_1`, attempt 1." in str(pull["body"])
    assert "widgets.py  +1 -1" in str(pull["body"])
    assert "hidden" not in str(pull["body"])
    assert "nobody sees me" not in str(pull["body"])


def the_trajectory_is_kept_and_the_checkouts_are_not(done: Sandbox) -> None:
    trajectory = json.loads((done.state / "trajectory.json").read_text())
    assert trajectory["info"]["exit_status"] == "Submitted"
    pieces = [event.data["chunk"] for event in done.gateway.of("task.trajectory")]
    assert json.loads("".join(map(str, pieces))) == trajectory
    assert not list(done.state.glob("work-*"))


def test_a_command_agent_gets_the_prompt_and_its_models_key_and_no_other(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; cat > seen.txt; env >> seen.txt")
    sandbox.validates(["true"])
    sandbox.run()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert last.data["warnings"] == ["Left out (it holds a secret of the sandbox): `seen.txt`."]
    assert sandbox.remote.files(BRANCH) == sandbox.remote.files("main"), "the rest goes out"

    sandbox.agent_is(
        "cat > seen.txt; env | grep -v ^OPENAI_API_KEY | grep -v ^AGENT_PROMPT >> seen.txt"
    )
    assert sandbox.run(SLIPGATE_ATTEMPT="2", SLIPGATE_STATE_DIR=str(sandbox.root / "second")) == 0
    seen = sandbox.remote.show(BRANCH, "seen.txt")
    assert "It is off by one." in seen
    assert "MODEL=gpt-5" in seen
    assert "FEATURE_X=visible" in seen
    assert not [name for name, value in SECRETS.items() if name in seen or value in seen]


def test_a_long_patch_goes_ahead_in_pieces(sandbox: Sandbox) -> None:
    sandbox.agent_is(
        f"{FIX}; seq 1 60000 > numbers.txt; printf 'caf\\351' > latin.txt;"
        " head -c 500000 /dev/urandom > noise"
    )
    assert sandbox.run() == 0, sandbox.printed()
    steps = sandbox.gateway.steps
    assert steps.index("patch") < steps.index("progress:validate")
    assert "patch" not in sandbox.gateway.last.data
    text = sandbox.gateway.patch
    assert "+60000\n" in text
    assert "GIT binary patch" in text, "what is not UTF-8 cannot stand in JSON as it is"


def test_the_base_is_the_default_branch_and_a_short_patch_is_in_the_final_event_too(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(f"{FIX}; seq 1 60000 > numbers.txt")
    assert sandbox.run(BASE_BRANCH="") == 0, sandbox.printed()
    assert sandbox.github.pulls[0]["base"] == "main"
    assert sandbox.gateway.last.data["patch"] == sandbox.gateway.patch
    piece = sandbox.gateway.of("task.patch")[0]
    assert piece.data["size"] == len(sandbox.gateway.patch.encode())
    assert piece.data["baseSha"] == sandbox.remote.branches()["main"]
    assert "partial" not in piece.data
