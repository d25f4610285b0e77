"""A pull request in the repository's own form: template, sign-off, signature, draft or ready."""

import subprocess
from pathlib import Path

import pytest

from snapshot.runner.failure import Failure
from snapshot.runner.repository.commit_signing import text_of
from snapshot.runner.text import is_default_title
from snapshot.runner.variables import Secret
from tests.snapshot.repositories import FIX, git
from tests.snapshot.sandbox import BRANCH, Sandbox

RULES = {
    "CONTRIBUTING.md": "Sign your work (Developer Certificate of Origin).\n",
    ".github/PULL_REQUEST_TEMPLATE.md": "### What changed\n\n### Checklist\n- [ ] I tested it\n",
}
PROMPT = "Fixes #1 for @octocat\n\nhttps://github.com/acme/widgets/issues/12"
EMAIL = "slipgate@users.noreply.github.com"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A new key for commits."""
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def test_complete_work_goes_out_signed_and_ready_in_the_repositorys_form(
    sandbox: Sandbox, key: Path
) -> None:
    sandbox.remote.push("main", RULES, "Rules")
    private = key.read_text()
    secret = private.splitlines()[2]
    sandbox.agent_is(
        f"{FIX}; env | grep -c SIGNING;"
        f" grep -rl {secret} {sandbox.state} /proc/*/environ 2> /dev/null"
        "; echo 'Done. [skip ci]'; echo 'Signed-off-by: Mallory <m@example.com>'"
    )
    sandbox.environ |= {"SLIPGATE_PULL_REQUESTS": "ready", "SLIPGATE_SIGNING_KEY": private}
    assert sandbox.run(AGENT_PROMPT=PROMPT) == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed"
    (pull,) = sandbox.github.pulls
    assert pull["draft"] is False
    assert pull["title"] == "F\u200bixes #1 for @\u200boctocat"
    assert str(pull["body"]).startswith("### What changed\n\n0\nDone. [\u200bskip ci]\n")
    assert "### Checklist\n\n- [ ] I tested it\n\n### Validation" in str(pull["body"])
    assert secret not in sandbox.printed() + str(sandbox.gateway.events)
    is_signed_off_and_verified(sandbox, key.with_suffix(".pub"))


def is_signed_off_and_verified(done: Sandbox, public: Path) -> None:
    signers = public.with_name("signers")
    signers.write_text(f"{EMAIL} {public.read_text()}")
    config = ("-c", f"gpg.ssh.allowedSignersFile={signers}", "-c", "gpg.format=ssh")
    git(*config, "verify-commit", BRANCH, at=done.remote.path)
    trailers = "--format=%(trailers:key=Signed-off-by,valueonly)"
    assert git("log", "-1", trailers, BRANCH, at=done.remote.path) == f"slipgate <{EMAIL}>"


def test_work_that_a_person_must_see_stays_a_draft(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; rm test_widgets.py")
    assert sandbox.run(SLIPGATE_PULL_REQUESTS="ready") == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    assert last.data["warnings"] == ["Tests are deleted: `test_widgets.py`."]
    (pull,) = sandbox.github.pulls
    assert pull["draft"] is True
    assert "- Tests are deleted: `test_widgets.py`." in str(pull["body"])


def test_a_key_that_cannot_sign_is_refused_before_the_agent_is_paid(sandbox: Sandbox) -> None:
    sandbox.agent_is("touch ran")
    assert sandbox.run(SLIPGATE_SIGNING_KEY="ssh-ed25519 AAAA") == 1
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["retryable"]) == ("signing_failed", False)
    assert "progress:agent" not in sandbox.gateway.steps


def test_a_key_is_taken_as_base64_or_in_one_line(key: Path) -> None:
    private = key.read_text()
    packed = subprocess.run(["base64", key], check=True, capture_output=True, text=True).stdout
    for given in (private, packed, private.replace("\n", "\\n"), private.replace("\n", "\r\n")):
        assert text_of(Secret(given)) == private
    for wrong in ("", "ssh-ed25519 AAAA", "-----BEGIN RSA PRIVATE KEY-----\nx"):
        with pytest.raises(Failure, match="no private key of OpenSSH"):
            text_of(Secret(wrong))


def test_the_agents_title_is_that_of_the_pull_request_unless_the_task_has_one(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(f"{FIX}; echo 'Title: fix: double once @octocat'; echo; echo 'It doubles.'")
    assert sandbox.run() == 0, sandbox.printed()
    (pull,) = sandbox.github.pulls
    assert pull["title"] == "fix: double once @\u200boctocat"
    assert str(pull["body"]).startswith("## Summary\n\nIt doubles.\n")
    assert str(sandbox.gateway.last.data["summary"]).startswith("It doubles.\n")
    subject = git("log", "-1", "--format=%s", BRANCH, at=sandbox.remote.path)
    assert subject == pull["title"]
    prompt = "Fix double()\n\nIt is off by one."
    assert is_default_title("Fix double()", prompt)
    assert not is_default_title("Double once", prompt)
