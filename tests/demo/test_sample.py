"""The sample project fails its test, and the script mends it."""

import subprocess
from pathlib import Path

import pytest

from gateway.demo.git import GitFailed, branch_tip, default_branch, git
from gateway.demo.sample import MENDED, MODULE, make_sample
from gateway.demo.script import ADD_FILE, MEND_SAMPLE, SUBMIT, choose, turn


def make_test(folder: Path) -> int:
    """The exit code of `make test`."""
    done = subprocess.run(["make", "test"], cwd=folder, capture_output=True, check=False)
    return done.returncode


def test_the_sample_fails_its_test_until_the_script_has_run(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "demo")
    assert make_test(sample.clone) != 0
    shown: list[str] = []
    for number in range(len(MEND_SAMPLE)):
        answer = turn(choose(shown), number)
        done = subprocess.run(
            ["bash", "-c", answer.command],
            cwd=sample.clone,
            capture_output=True,
            text=True,
            check=False,
        )
        shown.append(done.stdout + done.stderr)
    assert shown[-1].startswith("COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT\nThe discount was")
    assert (sample.clone / MODULE).read_text() == MENDED
    assert make_test(sample.clone) == 0
    assert git("diff", "--stat", folder=sample.clone).count("|") == 1


def test_the_bare_repository_holds_what_the_clone_holds(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "a folder")
    assert default_branch(sample.bare) == "main"
    head = git("rev-parse", "HEAD", folder=sample.clone)
    assert branch_tip(sample.bare, "main") == head
    assert sample.url.endswith("/acme/widgets.git")
    git("clone", "--quiet", "--", sample.url, "again", folder=tmp_path)
    assert (tmp_path / "again" / MODULE).is_file()


def test_a_branch_that_is_not_there_has_no_tip(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "demo")
    assert branch_tip(sample.bare, "--all") is None


def test_what_git_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="not a git repository"):
        git("status", folder=tmp_path)


def test_any_other_repository_gets_a_file() -> None:
    assert choose(["README.md"]) is ADD_FILE
    assert turn(ADD_FILE, 99) is SUBMIT
