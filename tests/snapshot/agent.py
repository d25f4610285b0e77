"""An agent's hands on a checkout, and the patch that is made of what they did."""

import os
import subprocess
import tempfile
from pathlib import Path

from snapshot.runner.repository import diff, patch, starting_state
from snapshot.runner.repository.address import parse
from snapshot.runner.repository.git import Git
from snapshot.runner.repository.patch import Patch
from snapshot.runner.repository.remote import Remote
from tests.snapshot.repositories import IDENTITY, Bare, git

SECRET = b"hunter2-hunter2"


def _is_secret(content: bytes) -> bool:
    return SECRET in content


class Agent:
    """Begins from the tip of main."""

    def __init__(self, ours: Git, remote: Bare, root: Path) -> None:
        root.mkdir()
        self._ours = ours
        self._root = root
        self.clone = Remote(ours, parse(remote.url), "main").clone(self.workdir("clone"))
        self.checkout = root / "work" / "checkout"
        self.checkout.parent.mkdir()
        self.state = starting_state.begin(ours, self.clone, self.checkout)

    def workdir(self, name: str) -> Path:
        """A new name for a directory."""
        return Path(tempfile.mkdtemp(prefix=name, dir=self._root)) / name

    def does(self, script: str) -> None:
        """The acts of an agent."""
        environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **IDENTITY}
        subprocess.run(["bash", "-ec", script], cwd=self.checkout, env=environ, check=True)

    def patch(self, *, most: int = diff.LARGEST_PATCH_BYTES) -> Patch:
        """The patch that is made of its work."""
        workdir = self.workdir("patch")
        around = self.checkout.parent
        return patch.make(
            self._ours, self.state, workdir, is_secret=_is_secret, most=most, around=around
        )

    def patch_and_processes(self) -> tuple[Patch, int]:
        """The same, and how many processes of git that took."""
        trace = self.workdir("trace").with_suffix(".txt")
        environ = {**self._ours.environ, "GIT_TRACE2_EVENT": str(trace)}
        counting = Git(stop=self._ours.stop, environ=environ, protocol="file")
        workdir = self.workdir("patch")
        made = patch.make(counting, self.state, workdir, is_secret=_is_secret)
        return made, trace.read_text().count('"event":"start"')

    def paths(self, made: Patch) -> set[str]:
        """The paths of the patch."""
        listed = git("apply", "--numstat", "-z", "-", at=self._root, text=made.text)
        return {entry.split("\t")[2] for entry in listed.split("\0") if entry}
