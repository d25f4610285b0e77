"""The set-up before an agent begins: it can use it, and nothing of it is its own change."""

import os
from pathlib import Path

from snapshot.runner.repository import starting_state
from snapshot.runner.repository.git import Git
from snapshot.runner.stop import Stop
from tests.snapshot.agent import Agent
from tests.snapshot.repositories import FIX, WIDGETS, Bare
from tests.snapshot.sandbox import BRANCH, Sandbox

SETTINGS = """\
setup:
  - echo installed > tool && echo more >> README.md && mkdir -p out && echo x > "out/a b!.txt"
  - run: [rm, -f, widgets.py]
env:
  COLOUR: "blue"
checks:
  - make test
  - printenv COLOUR
"""


def _tests_by_settings(sandbox: Sandbox, settings: str) -> None:
    sandbox.remote.push("main", {".slipgate.yml": settings}, "declare checks")
    sandbox.validates_as_declared()


def test_an_agent_finds_its_set_up_and_the_pull_request_has_nothing_of_it(
    sandbox: Sandbox,
) -> None:
    settings = SETTINGS.replace("[rm, -f, widgets.py]", '["true"]')
    _tests_by_settings(sandbox, settings)
    sandbox.agent_is(
        f'set -e; grep installed tool; test "$COLOUR" = blue; test -z "$(git status --porcelain)"'
        f"; {FIX}; git add -A"
    )
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", sandbox.printed()
    assert sandbox.remote.files(BRANCH) == [".slipgate.yml", *sorted(WIDGETS)]
    assert sandbox.remote.show(BRANCH, "README.md") == "# Widgets"


def test_a_failed_set_up_does_not_keep_an_agent_from_its_work(sandbox: Sandbox) -> None:
    _tests_by_settings(sandbox, "setup:\n  - echo broken; exit 3\n")
    sandbox.agent_is(f"{FIX}; cat > prompt.txt")
    assert sandbox.run() == 0, sandbox.printed()
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
    told = "Dependencies may be missing: `echo broken; exit 3` did not pass (exit code 3)."
    assert told in sandbox.remote.show(BRANCH, "prompt.txt")
    assert told in str(sandbox.gateway.last.data["warnings"])
    messages = [event.data["message"] for event in sandbox.gateway.of("task.progress")]
    assert "echo broken; exit 3: failed" in messages


class _Prepared:
    """An agent in a checkout after a set-up."""

    def __init__(self, remote: Bare, root: Path, script: str) -> None:
        git = Git(stop=Stop(), environ={"PATH": os.environ["PATH"]}, protocol="file")
        self.agent = Agent(git, remote, root / "agent")
        self.agent.does(script)
        starting_state.settle(git, self.agent.state)

    def paths(self, script: str) -> set[str]:
        """The paths of the patch after the agent's acts."""
        self.agent.does(script)
        return self.agent.paths(self.agent.patch())


def test_files_of_a_set_up_count_once_the_agent_writes_them(remote: Bare, tmp_path: Path) -> None:
    prepared = _Prepared(remote, tmp_path, "echo 1 > lock; echo 1 > other; echo 1 >> README.md")
    assert (prepared.agent.checkout / "README.md").read_text() == "# Widgets\n"
    assert prepared.paths("echo 22 > lock; echo new > mine") == {"lock", "mine"}


def test_tracked_files_that_a_set_up_removes_are_there_again(remote: Bare, tmp_path: Path) -> None:
    prepared = _Prepared(remote, tmp_path, "rm widgets.py; rm -f README.md; ln -s / README.md")
    assert (prepared.agent.checkout / "README.md").read_text() == "# Widgets\n"
    assert prepared.agent.patch().text == ""


def test_pipes_that_a_set_up_leaves_hold_nothing_up(remote: Bare, tmp_path: Path) -> None:
    prepared = _Prepared(remote, tmp_path, "echo x > tool; mkdir lib; mkfifo lib/.gitignore")
    assert prepared.paths("echo new > mine") == {"mine"}


def test_ignored_files_of_a_set_up_are_no_warnings(remote: Bare, tmp_path: Path) -> None:
    remote.push("main", {".gitignore": "target/\n"}, "ignore")
    prepared = _Prepared(remote, tmp_path, "mkdir target; echo x > target/a")
    prepared.agent.does(FIX)
    assert prepared.agent.patch().warnings == ()
