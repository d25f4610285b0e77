"""Runs git without any configuration, hook or prompt that is not ours."""

import math
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from .. import files
from ..failure import Failure
from ..stop import Stop
from ..text import summarize_stderr
from .credentials import Credentials

STDERR_CHARACTERS: Final = 2_000
OPTIONS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.excludesFile=/dev/null",
    "credential.helper=",
    "diff.ignoreSubmodules=all",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "advice.detachedHead=false",
    "checkout.workers=0",  # one for each processor
    "core.compression=1",  # most of what we write is read once
)
ENVIRON: Final = {
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new",
}
_SHA256_CHARACTERS: Final = 64


class GitFailed(Failure):
    """A git command that did not end with 0."""

    def __init__(self, verb: str, exit_code: int, stderr: str) -> None:
        self.stderr = summarize_stderr(stderr, STDERR_CHARACTERS)
        super().__init__("git_failed", f"git {verb} ended with {exit_code}: {self.stderr}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Git:
    """git with argument lists."""

    stop: Stop
    environ: Mapping[str, str] = field(hash=False)
    """PATH and the network's variables; nothing else of our environment."""
    protocol: str = "none"
    """The only transport this git may use."""
    credentials: Credentials | None = None
    repository: Path | None = None
    work_tree: Path | None = None
    index: Path | None = None
    ends_at: float = math.inf
    """Each command ends before this time of the monotonic clock."""

    def at(self, repository: Path, *, work_tree: Path | None = None, index: str = "index") -> "Git":
        """The same git for a trusted directory's `.git`, perhaps with a foreign work tree."""
        directory = repository / ".git"
        return replace(
            self, repository=directory, work_tree=work_tree or repository, index=directory / index
        )

    def within(self, seconds: float) -> "Git":
        """The same git, with so much time for all its commands together."""
        return replace(self, ends_at=time.monotonic() + seconds)

    def __call__(
        self,
        verb: str,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = 120,
        allowed: Sequence[int] = (0,),
        environ: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> bytes:
        """Run one command, which inherits only these descriptors, and return its output.

        Raises:
            GitFailed: it ended with a code that is not allowed.
            Failure: `git_timed_out` after so many seconds.
            Stopped: the attempt was stopped; git is dead.
        """
        # From a file, never a pipe: `communicate` with a time limit writes no more than the pipe
        # takes at once (64 KiB), and git would wait for the rest for ever.
        with files.source(stdin) as source:
            process = subprocess.Popen(
                ["git", *self._options(), verb, *arguments],
                cwd=self.work_tree or "/",
                env={**self._environ(), **(environ or {})},
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=descriptors,
            )
        left = max(0.0, self.ends_at - time.monotonic())
        out, err = self._communicate(process, verb, min(seconds, left))
        if process.returncode not in allowed:
            raise GitFailed(verb, process.returncode, err.decode(errors="replace"))
        return out

    def text(self, verb: str, *arguments: str) -> str:
        """Run a command whose output is one line of text."""
        return self(verb, *arguments).decode(errors="replace").strip()

    def version(self) -> tuple[int, int]:
        """Major and minor; (0, 0) if git's answer cannot be read."""
        found = re.match(r"git version (\d+)\.(\d+)", self.text("version"))
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def _communicate(
        self, process: subprocess.Popen[bytes], verb: str, seconds: float
    ) -> tuple[bytes, bytes]:
        captured: list[tuple[bytes, bytes]] = []

        def is_done(tick: float) -> bool:
            try:
                captured.append(process.communicate(timeout=tick))
            except subprocess.TimeoutExpired:
                return False
            return True

        with process:
            try:
                if not self.stop.until(is_done, seconds=seconds):
                    message = f"git {verb} took longer than {seconds:.0f} s"
                    raise Failure("git_timed_out", message, retryable=True)
            finally:
                process.kill()  # nothing, if it has ended
        return captured[0]

    def _options(self) -> list[str]:
        pairs = [*OPTIONS, *(self.credentials.options if self.credentials else ())]
        return [option for pair in pairs for option in ("-c", pair)]

    def _environ(self) -> dict[str, str]:
        environ = {**self.environ, **ENVIRON, "GIT_ALLOW_PROTOCOL": self.protocol}
        paths = {
            "GIT_DIR": self.repository,
            "GIT_WORK_TREE": self.work_tree,
            "GIT_INDEX_FILE": self.index,
        }
        environ |= {name: str(path) for name, path in paths.items() if path is not None}
        return environ | (self.credentials.environ if self.credentials else {})


def init_borrowing(directory: Path, base_sha: str, *, objects: Sequence[Path]) -> None:
    """Make a new git directory of our own that borrows the objects of others.

    Commands of the agent run under our user and may have written anything on the disk. Objects are
    named by their content; configuration, hooks, attributes, references and indexes are not, so
    each use of git begins with new ones.
    """
    ours = directory / ".git"
    for name in ("objects/info", "objects/pack", "refs/heads", "info"):
        (ours / name).mkdir(parents=True)
    (ours / "HEAD").write_text("ref: refs/heads/none\n")
    version, extensions = 0, ""
    if object_format(base_sha) == "sha256":
        version, extensions = 1, "[extensions]\n\tobjectFormat = sha256\n"
    core = f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = false\n"
    (ours / "config").write_text(core + extensions)
    (ours / "objects/info/alternates").write_text("".join(f"{path}\n" for path in objects))


def object_format(sha: str) -> str:
    """The hash function of a repository with this object (gitformat-hash-function-transition)."""
    return "sha256" if len(sha) == _SHA256_CHARACTERS else "sha1"


def write_attributes(directory: Path, attributes: str) -> None:
    """Set attributes that outrank every .gitattributes."""
    file = directory / ".git" / "info" / "attributes"
    file.parent.mkdir(exist_ok=True)
    file.write_text(attributes)
