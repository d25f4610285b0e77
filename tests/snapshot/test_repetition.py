"""Loops of an agent."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from snapshot.runner.agent.repetition import Repetition


def ends_at(checkout: Path, commands: Sequence[str], *, most: int = 60) -> int | None:
    """The step after which an agent that repeats these commands is stuck."""
    repetition = Repetition(checkout)
    for step in range(most):
        command = commands[step % len(commands)]
        if repetition.is_stuck([command], [f"output of {command} at 12:{step:02}"]):
            return step + 1
    return None


@pytest.mark.parametrize(("period", "steps"), [(1, 4), (2, 8), (3, 12), (4, 16), (7, 19), (20, 32)])
def test_a_loop_of_any_period_is_noticed(tmp_path: Path, period: int, steps: int) -> None:
    assert ends_at(tmp_path, [f"command {chr(97 + step)}" for step in range(period)]) == steps


def test_new_commands_are_no_loop(tmp_path: Path) -> None:
    assert ends_at(tmp_path, [f"cat {step}" for step in range(60)]) is None


def test_the_same_command_with_new_results_is_no_loop(tmp_path: Path) -> None:
    repetition = Repetition(tmp_path)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    assert not any(repetition.is_stuck(["make"], [f"error in {word}"]) for word in words)


def test_the_same_test_after_each_edit_is_no_loop(tmp_path: Path) -> None:
    repetition = Repetition(tmp_path)
    for step in range(10):
        assert not repetition.is_stuck([f"sed -i s/{step}/x/ a.py"], [""])
        assert not repetition.is_stuck(["pytest"], ["1 failed in 0.12s"])


def test_the_same_step_that_changes_files_is_no_loop(tmp_path: Path) -> None:
    repetition = Repetition(tmp_path)
    for step in range(10):
        (tmp_path / "log").write_text("x" * step)
        assert not repetition.is_stuck(["./step"], ["done"])


def test_files_that_swing_to_and_fro_are_a_loop(tmp_path: Path) -> None:
    repetition = Repetition(tmp_path)
    stuck = []
    for step in range(20):
        (tmp_path / "a").write_text("xx" if step % 2 else "x")
        stuck.append(repetition.is_stuck([f"write {'b' if step % 2 else 'a'}"], [""]))
    assert any(stuck)


def test_git_and_installed_packages_are_not_looked_at(tmp_path: Path) -> None:
    for folder in (".git", "node_modules"):
        (tmp_path / folder).mkdir()
    repetition = Repetition(tmp_path)
    stuck = []
    for step in range(4):
        (tmp_path / ".git" / "index").write_text("x" * step)
        stuck.append(repetition.is_stuck(["git status"], ["clean"]))
    assert stuck == [False, False, False, True]


def test_folders_may_be_as_deep_as_they_like(tmp_path: Path) -> None:
    subprocess.run(["mkdir", "-p", tmp_path / "/".join(["a"] * 1_500)], check=True)
    assert ends_at(tmp_path, ["ls"]) == 4
    subprocess.run(["rm", "-rf", tmp_path / "a"], check=True)
