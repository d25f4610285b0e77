"""One task from its environment to its pull request."""

from tests.snapshot.model_stub import DONE
from tests.snapshot.repositories import FIX, git
from tests.snapshot.sandbox import BRANCH, SECRETS, Sandbox


def test_a_failing_test_is_fixed_validated_pushed_and_proposed(sandbox: Sandbox) -> None:
    sandbox.model.commands = ["cat widgets.py", FIX, "make test", DONE]
    assert sandbox.run() == 0, sandbox.said()

    last = sandbox.gateway.last
    assert last.type == "task.completed"
    assert last.data["prUrl"] == "https://github.test/acme/widgets/pull/1"
    assert last.data["branchName"] == BRANCH
    assert last.data["commitSha"] == sandbox.remote.branches()[BRANCH]
    assert "-    return n + n + 1\n+    return 2 * n\n" in str(last.data["patch"])
    assert last.data["summary"] == "Fixed it.\n\nValidation passed: `make test`."
    assert "return 2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    assert sandbox.remote.files(BRANCH) == sandbox.remote.files("main")


def test_every_step_is_told_before_it_begins(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    assert sandbox.run() == 0, sandbox.said()
    assert sandbox.gateway.steps == [
        "started",
        "progress:setup",
        "progress:clone",
        "progress:agent",
        "progress:patch",
        "progress:validate",
        "progress:push",
        "progress:pr",
        "pr_created",
        "completed",
    ]


def test_the_model_is_told_the_task_and_what_its_commands_answered(sandbox: Sandbox) -> None:
    sandbox.model.commands = ["cat widgets.py; exit 3", FIX, DONE]
    assert sandbox.run() == 0, sandbox.said()
    assert "It is off by one." in sandbox.model.requests[0].body.decode()
    assert '"returncode": 3' in sandbox.model.observations[0]
    assert "return n + n + 1" in sandbox.model.observations[0]
    turns = [word.data["message"] for word in sandbox.gateway.of("task.progress")]
    assert "turn 3 of 60" in turns
    usage = sandbox.gateway.of("task.usage")[-1].data
    assert (usage["inputTokens"], usage["outputTokens"], usage["turns"]) == (3000, 30, 3)
    assert usage["costUsd"] == 0.00405


def test_the_commit_names_its_task_and_the_pull_request_is_a_draft(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; echo 'Doubled. <!-- nobody sees me -->'")
    assert sandbox.run() == 0, sandbox.said()
    message = git("log", "-1", "--format=%an <%ae>%n%B", BRANCH, at=sandbox.remote.path)
    assert message == (
        "slipgate <slipgate@users.noreply.github.com>\n"
        "Fix double()\n\nDoubled.\n\nSlipgate-Task: task_1\nSlipgate-Attempt: 1"
    )
    (pull,) = sandbox.github.pulls
    assert pull["draft"] is True
    assert (pull["title"], pull["head"], pull["base"]) == ("Fix double()", BRANCH, "main")
    assert "| `make test` | 0 |" in str(pull["body"])
    assert "Task `task_1`, attempt 1." in str(pull["body"])
    assert "hidden" not in str(pull["body"])
    assert "nobody sees me" not in str(pull["body"])


def test_the_base_is_the_default_branch_when_none_is_named(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    assert sandbox.run(BASE_BRANCH="") == 0, sandbox.said()
    assert sandbox.github.pulls[0]["base"] == "main"


def test_a_command_agent_gets_the_prompt_and_its_models_key_and_no_other(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; cat > seen.txt; env >> seen.txt")
    sandbox.validates(["true"])
    sandbox.run()
    patch = str(sandbox.gateway.last.data)
    assert "it holds a secret of the sandbox" in patch, "the key it printed must not be pushed"
    assert BRANCH not in sandbox.remote.branches()

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
    sandbox.agent_is(f"{FIX}; seq 1 60000 > numbers.txt; printf 'caf\\351' > latin.txt")
    assert sandbox.run() == 0, sandbox.said()
    pieces = sandbox.gateway.of("task.patch")
    assert "patch" not in sandbox.gateway.last.data
    text = ""
    for piece in pieces:
        assert piece.data["offset"] == len(text.encode())
        assert len(str(piece.data["chunk"]).encode()) <= 64 * 1024
        text += str(piece.data["chunk"])
    assert "+60000\n" in text
    assert "GIT binary patch" in text, "what is not UTF-8 cannot stand in JSON as it is"
