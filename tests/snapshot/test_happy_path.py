"""One task from its environment to its pull request."""

import json

from tests.snapshot.model_stub import DONE
from tests.snapshot.repositories import FIX, git
from tests.snapshot.sandbox import BRANCH, Sandbox


def test_a_failing_test_is_fixed_and_proposed(sandbox: Sandbox) -> None:
    sandbox.model.commands = ["cat widgets.py", FIX, "make test", DONE]
    assert sandbox.run() == 0, sandbox.said()

    gateway = sandbox.gateway
    assert gateway.last.type == "task.completed", gateway.last
    assert gateway.last.data["prUrl"] == "https://github.test/acme/widgets/pull/1"
    assert gateway.last.data["branchName"] == BRANCH
    assert gateway.last.data["commitSha"] == sandbox.remote.branches()[BRANCH]
    assert "-    return n + n + 1\n+    return 2 * n\n" in str(gateway.last.data["patch"])
    assert "return 2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    print(json.dumps([(w.type, w.data) for w in gateway.words], indent=1))
    print(git("log", "-1", "--format=%B", BRANCH, at=sandbox.remote.path))
    print(sandbox.github.pulls)
