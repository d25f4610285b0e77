"""Bare repositories as remotes, made by a real git."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}
WIDGETS = {
    "Makefile": "test:\n\tpython3 -m unittest -q\n",
    "widgets.py": "def double(n):\n    return n + n + 1\n",
    "test_widgets.py": (
        "import unittest\n"
        "from widgets import double\n\n\n"
        "class Doubling(unittest.TestCase):\n"
        "    def test_doubles(self):\n"
        "        self.assertEqual(double(2), 4)\n"
    ),
    "README.md": "# Widgets\n",
}
"""A project with a failing test."""
FIX = "sed -i 's/n + n + 1/2 * n/' widgets.py"


def git(*arguments: str, at: Path, text: str = "") -> str:
    """Run git in a directory, with a text to read, and return what it printed."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=at,
        env={**os.environ, **IDENTITY},
        check=True,
        capture_output=True,
        input=text.encode(),
    )
    return done.stdout.decode(errors="surrogateescape").strip()


class Bare:
    """acme/widgets, bare, with one commit on main."""

    def __init__(self, root: Path) -> None:
        self.path = root / "acme" / "widgets.git"
        self._work = root / "work"

    @classmethod
    def made(cls, root: Path, files: Mapping[str, str]) -> "Bare":
        """A new one with these files."""
        bare = cls(root)
        bare._work.mkdir(parents=True)
        git("init", "-q", "--template=", "-b", "main", at=bare._work)
        bare._write(files)
        bare._commit("first")
        git("clone", "-q", "--bare", "--template=", str(bare._work), str(bare.path), at=root)
        for path in (bare.path / "hooks", bare._work / ".git" / "hooks"):
            path.mkdir()  # empty: git's samples would be copied for each test
        return bare

    @property
    def url(self) -> str:
        """Its file:// address."""
        return f"file://{self.path}"

    def branches(self) -> dict[str, str]:
        """Name → commit."""
        lines = git("for-each-ref", "--format=%(refname:short) %(objectname)", at=self.path)
        return dict(line.split(" ") for line in lines.splitlines())

    def show(self, branch: str, file: str) -> str:
        """A file as it is on a branch."""
        return git("show", f"{branch}:{file}", at=self.path)

    def files(self, branch: str) -> list[str]:
        """Every file of a branch."""
        return git("ls-tree", "-r", "--name-only", branch, at=self.path).splitlines()

    def push(self, branch: str, files: Mapping[str, str], message: str) -> None:
        """Somebody else's commit on a branch."""
        git("switch", "-q", "-C", branch, at=self._work)
        self._write(files)
        git("add", "--", *files, at=self._work)
        git("commit", "-q", "-m", message, at=self._work)
        git("push", "-q", str(self.path), branch, at=self._work)

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self._work / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())

    def _commit(self, message: str) -> None:
        git("add", "-A", at=self._work)
        git("commit", "-q", "-m", message, at=self._work)
