"""Texts of the base commit, of which no repository can fill the memory."""

from pathlib import Path

from snapshot.runner.repository import base_texts
from snapshot.runner.repository.base_texts import LARGEST_BYTES, LARGEST_TOTAL_BYTES
from snapshot.runner.repository.git import Git
from snapshot.runner.repository.remote import Clone
from snapshot.runner.stop import Stop
from tests.snapshot.repositories import git


def test_texts_are_bounded_one_by_one_and_together(tmp_path: Path) -> None:
    git("init", "-q", "-b", "main", at=tmp_path)
    most = LARGEST_TOTAL_BYTES // LARGEST_BYTES
    for number in range(most + 2):
        (tmp_path / f"{number:03}.md").write_text("x" * LARGEST_BYTES)
    (tmp_path / "000-large.md").write_text("x" * (LARGEST_BYTES + 1))
    git("add", ".", at=tmp_path)
    git("commit", "-q", "-m", "first", at=tmp_path)
    sha = git("rev-parse", "HEAD", at=tmp_path)
    clone = Clone(directory=tmp_path, base_sha=sha, base_branch="main")
    trace = tmp_path / ".git" / "trace"
    ours = Git(stop=Stop(), environ={"PATH": "/usr/bin:/bin", "GIT_TRACE2_EVENT": str(trace)})
    texts = base_texts.read(ours, clone, lambda path: path.endswith(".md"))
    assert list(texts) == [f"{number:03}.md" for number in range(most)]
    assert base_texts.read(ours, clone, lambda path: path.endswith("001.md")).keys() == {"001.md"}
    assert trace.read_text().count('"name":"ls-tree"') == 1, "the commit is listed once"
