"""The end of a task when not everything went well."""

from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import BRANCH, Sandbox


def receipts(sandbox: Sandbox) -> list[dict[str, object]]:
    """The receipts of the last event."""
    validation = sandbox.gateway.last.data["validation"]
    assert isinstance(validation, list)
    return validation


def test_failed_validation_is_pushed_as_a_draft_and_reported_plainly(sandbox: Sandbox) -> None:
    sandbox.validates_as_declared()
    sandbox.agent_is("echo '# more' >> README.md")
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    (receipt,) = receipts(sandbox)
    assert (receipt["command"], receipt["status"], receipt["exitCode"]) == (
        "make test",
        "failed",
        2,
    )
    assert receipt["baseline"] == "failed"
    assert "AssertionError: 5 != 4" in str(receipt["outputTail"])
    sentence = "`make test` failed with exit code 2 (fails on the base commit too)."
    assert sentence in str(last.data["summary"])
    body = str(sandbox.github.pulls[0]["body"])
    assert "Fails without this change, too, so it validates nothing: `make test`." in body
    assert "| `make test` | 2 |" in body
    assert "Written by `command` · slipgate task" in body


def test_no_environment_for_python_and_no_pull_request_leave_a_branch_to_review(
    sandbox: Sandbox,
) -> None:
    tried, program = sandbox.shared / "tried", sandbox.root / "programs" / "python3"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $2 >> {tried}; exit 1\n")
    program.chmod(0o755)
    sandbox.environ["PATH"] = f"{program.parent}:{sandbox.environ['PATH']}"
    sandbox.agent_is(FIX)
    assert sandbox.run(GITHUB_TOKEN="ghp_another_token") == 0, sandbox.printed()
    assert tried.read_text() == "venv\n", "for the agent, not again for the checks"
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "GitHub answered 401" in str(last.data["summary"])
    assert last.data["commitSha"] == sandbox.remote.branches()[BRANCH]


def test_what_did_not_run_is_reported_as_not_run(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.validates(["make", "test"], ["no-such-tool", "--all"])
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.needs_review"
    passed, missing = receipts(sandbox)
    assert passed["status"] == "passed"
    assert (missing["status"], missing["exitCode"]) == ("not_run", None)
    assert missing["reason"] == "no-such-tool is not installed"
    assert "not run: no-such-tool is not installed" in str(sandbox.github.pulls[0]["body"])


def test_a_repository_that_declares_nothing_needs_a_review(sandbox: Sandbox) -> None:
    sandbox.validates_as_declared()
    sandbox.agent_is("rm Makefile test_widgets.py; echo x > new.txt")
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.needs_review"
    assert "Validation did not run" in str(sandbox.gateway.last.data["summary"])
    assert receipts(sandbox) == []


def test_a_failed_installation_means_that_the_tests_did_not_run(sandbox: Sandbox) -> None:
    sandbox.validates_as_declared()
    sandbox.agent_is(
        'echo \'{"scripts": {"test": "jest"}}\' > package.json; touch package-lock.json'
    )
    assert sandbox.run() == 0, sandbox.printed()
    install, check = receipts(sandbox)
    assert install["command"] == "npm ci"
    assert install["status"] in {"failed", "not_run"}
    assert (check["command"], check["status"]) == ("make test", "not_run")
    assert check["reason"] == "the installation did not pass: npm ci"


def test_without_a_token_the_branch_is_pushed_and_reported_to_have_no_pull_request(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(FIX)
    assert sandbox.run(GITHUB_TOKEN="") == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.completed"
    assert "prUrl" not in last.data
    assert "no pull request: GITHUB_TOKEN is not set" in str(last.data["summary"])
    assert BRANCH in sandbox.remote.branches()
    assert "progress:pr" not in sandbox.gateway.steps


def test_a_repository_without_drafts_gets_a_plain_pull_request(sandbox: Sandbox) -> None:
    """With a fixed password, as the repository's own tests have it."""
    sandbox.agent_is("echo 'password = \"for-tests-only\"' > settings.py")
    sandbox.github.offers_drafts = False
    assert sandbox.run(DB_PASSWORD="for-tests-only") == 0, sandbox.printed()
    assert sandbox.gateway.of("task.pr_created")[0].data["draft"] is False
    assert sandbox.gateway.last.type == "task.completed"
    assert "for-tests-only" in sandbox.remote.show(BRANCH, "settings.py")


def test_an_open_pull_request_of_the_branch_is_used_again(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    sandbox.github.pulls.append(
        {"head": BRANCH, "html_url": "https://github.test/acme/widgets/pull/7", "draft": True}
    )
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.data["prUrl"] == "https://github.test/acme/widgets/pull/7"


def test_a_remote_that_refuses_the_push_leaves_the_patch_to_review(sandbox: Sandbox) -> None:
    hook = sandbox.remote.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected branch' >&2\nexit 1\n")
    hook.chmod(0o755)
    sandbox.agent_is(FIX)
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert "could not be pushed" in str(last.data["summary"])
    assert "+    return 2 * n" in str(last.data["patch"])


def test_the_attempt_ends_itself_before_its_clock_strikes(sandbox: Sandbox) -> None:
    hook = sandbox.remote.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nsleep 600\n")
    hook.chmod(0o755)
    sandbox.agent_is(FIX)
    assert sandbox.run(SLIPGATE_RUN_SECONDS="20") == 1, sandbox.printed()
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    assert (error["stage"], error["code"], error["retryable"]) == ("push", "time_over", False)


def test_even_an_unforeseen_error_is_a_final_event(sandbox: Sandbox) -> None:
    (sandbox.state / "trajectory.json").mkdir(parents=True)
    sandbox.model.commands = ["true"]
    assert sandbox.run() == 1, sandbox.printed()
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    assert (error["stage"], error["code"]) == ("agent", "internal")
    assert "IsADirectoryError" in str(error["message"])
    assert "Traceback" in sandbox.printed()
