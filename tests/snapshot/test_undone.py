"""Commits of the base that an agent takes back are named, and make a person look."""

import os
from pathlib import Path

import pytest

from snapshot.runner.repository.git import Git
from snapshot.runner.stop import Stop
from tests.snapshot.agent import Agent
from tests.snapshot.repositories import WIDGETS, Bare, git


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits, of which the last two change one file."""
    root = tmp_path_factory.mktemp("template") / "remote"
    remote = Bare.made(root, WIDGETS)
    remote.push("main", {"a.py": "a = 1\n", "b.py": "b = 1\n"}, "Add a and b")
    remote.push("main", {"a.py": "a = 2\n"}, "Two of a")
    return root


@pytest.fixture
def agent(remote: Bare, tmp_path: Path) -> Agent:
    """An agent at its beginning."""
    ours = Git(stop=Stop(), environ={"PATH": os.environ["PATH"]}, protocol="file")
    return Agent(ours, remote, tmp_path / "agent")


def undone(agent: Agent, script: str) -> list[str]:
    """The subjects of the commits that the patch names as undone."""
    agent.does(script)
    made = agent.patch()
    log = git("log", "--format=%h %s", agent.clone.base_sha, at=agent.clone.directory)
    (sentence,) = [one for one in made.doubts if "undone" in one] or [""]
    lines = (line.split(" ", 1) for line in log.splitlines())
    return [subject for sha, subject in lines if f"`{sha[:7]} {subject}`" in sentence]


@pytest.mark.parametrize(
    ("script", "subjects"),
    [
        ("git reset -q --hard HEAD~1", ["Two of a"]),
        ("git reset -q --hard HEAD~2", ["Two of a", "Add a and b"]),
        ("git reset -q --hard HEAD~1; echo c > c.py", ["Two of a"]),
        ("git reset -q --hard HEAD~2; echo 'b = 2' > b.py; git add -A; git commit -qm x",
         ["Two of a", "Add a and b"]),
        ("git checkout -q --detach HEAD~1", ["Two of a"]),
        ("git revert --no-edit HEAD", ["Two of a"]),
        ("echo 'a = 1' > a.py; rm -rf .git", ["Two of a"]),
        ("rm a.py", []),
        ("git reset -q --soft HEAD~1; echo c > c.py", []),
        ("git commit -q --amend -m other; echo c > c.py", []),
        ("git checkout -q --orphan other; git commit -qm other; echo c > c.py", []),
        ("echo 'a = 3' > a.py; git commit -qam three", []),
        ("git checkout -q HEAD~1; git checkout -q -; echo c > c.py", []),
    ],
)  # fmt: skip
def test_commits_that_are_taken_back_are_named(
    agent: Agent, script: str, subjects: list[str]
) -> None:
    assert undone(agent, script) == subjects


@pytest.mark.parametrize(
    ("script", "subjects"),
    [
        ("git pull -q", ["Upstream"]),
        ("echo c > c.py; git add c.py; git commit -qm mine; git pull -q --rebase", ["Upstream"]),
        (
            "echo c > c.py; git add c.py; git commit -qm mine; git pull -q --no-rebase --no-edit",
            ["Upstream"],
        ),
        ("git fetch -q origin side; git merge -q --no-edit FETCH_HEAD", ["Side", "Upstream"]),
        (
            "git fetch -q origin side:x; git fetch -q origin main; git merge -q x",
            ["Side", "Upstream"],
        ),
        ("git fetch -q origin side:x; git fetch -q origin main; echo c > c.py", []),
        ("git fetch -q origin side; git branch x FETCH_HEAD; git fetch -q origin main", []),
    ],
)
def test_commits_of_others_that_are_taken_over_are_named(
    agent: Agent, remote: Bare, script: str, subjects: list[str]
) -> None:
    remote.push("main", {"theirs.py": "t = 1\n"}, "Upstream")
    remote.push("side", {"side.py": "s = 1\n"}, "Side")
    agent.does(f"{script}; echo d > d.py")
    made = agent.patch()
    found = [one for one in made.doubts if one.startswith("Commits of others are taken over: ")]
    assert [subject for subject in ("Side", "Upstream") if f"{subject}`" in str(found)] == subjects
    assert made.doubts == tuple(found), "nothing of theirs counts as work that is not in the patch"


def test_deleted_tests_are_doubts_of_the_patch(agent: Agent) -> None:
    agent.does("rm test_widgets.py")
    assert agent.patch().doubts == ("Tests are deleted: `test_widgets.py`.",)
