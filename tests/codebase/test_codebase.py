"""The figures and the lint of a small tree."""

import subprocess
from pathlib import Path

import pytest

from tests.codebase.lint import find_in, find_subjects, is_banned
from tests.codebase.sizes import read_sources, size_lines

FILES = {
    "gateway/web/letters.py": '"""What it is."""\n\n\nclass View:\n    def say(self): ...\n',
    "gateway/web/widgets.py": '"""Tasks."""\nOWED = 1\n"""So many."""\n',
    "gateway/web/feeds/widgets.py": '"""Whose tasks."""\n',
    "launcher/one/a.py": "def long():\n    pass\n    pass\n",
    "launcher/two/a.py": "def letter_of(told):\n    pass\n",
}
LONGEST = (
    "launcher/one/a.py:long (3)",
    "launcher/two/a.py:letter_of (2)",
    "gateway/web/letters.py:say (1)",
)


def test_a_small_tree_is_counted_and_linted(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = read_sources(tmp_path, ("gateway", "launcher"))
    assert list(size_lines(sources)) == [
        "product    14 lines in 5 files",
        "files      p50 3, p90 5, max 5 lines",
        "functions  3; p50 2, p90 3, max 3 lines",
        f"           longest: {', '.join(LONGEST)}",
        "repeated   1 file names; gateway/web: widgets.py",
    ]
    assert [f"{each.path}:{each.line} {each.message}" for s in sources for each in find_in(s)] == [
        "gateway/web/feeds/widgets.py:1 docstring begins with Whose",
        "gateway/web/letters.py:1 file name letters",
        "gateway/web/letters.py:1 docstring begins with What",
        "gateway/web/letters.py:4 name View",
        "gateway/web/letters.py:5 name say",
        "gateway/web/widgets.py:3 docstring begins with So many",
        "gateway/web/widgets.py:2 name OWED",
    ]


@pytest.mark.parametrize("name", ["Letter", "AgentWord", "OwedEndpoint", "spoke_at", "_gate"])
def test_a_word_of_the_old_vocabulary_is_found(name: str) -> None:
    assert is_banned(name)


@pytest.mark.parametrize("name", ["DeadLetter", "TaskView", "told", "tracks", "dead_letter"])
def test_other_names_that_contain_its_letters_are_not(name: str) -> None:
    assert not is_banned(name)


def test_without_a_history_no_commit_is_looked_at(tmp_path: Path) -> None:
    assert list(find_subjects(tmp_path)) == []


def test_a_long_subject_is_found(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@b.example"]
    commit = ["commit", "--quiet", "--allow-empty", "-m"]
    for arguments in (["init", "--quiet", "-b", "main"], [*commit, "first"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run([*git, "switch", "--quiet", "-c", "topic"], check=True)
    for subject in ("s" * 72, "s" * 73):
        subprocess.run([*git, *commit, subject], check=True)
    (found,) = find_subjects(tmp_path)
    assert found.message == f"subject of 73 characters: {'s' * 73}"
