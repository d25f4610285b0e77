"""Runs git, deaf to every configuration, hook and prompt that is not ours."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ..failure import Failure
from ..stderr import summarize_stderr
from ..stop import Stop
from .credentials import Credentials

STDERR_CHARACTERS: Final = 2_000
NEUTRAL: Final = (
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
    "checkout.workers=0",
    "core.compression=1",
)
"""As many workers as there are processors; most of what we write is read once, so little time goes
into making it small."""


class GitFailed(Failure):
    """A git command that did not end with 0."""

    def __init__(self, verb: str, exit_code: int, stderr: str) -> None:
        self.exit_code = exit_code
        self.stderr = summarize_stderr(stderr, STDERR_CHARACTERS)
        super().__init__("git_failed", f"git {verb} ended with {exit_code}: {self.stderr}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Git:
    """git with argument lists; `at` names the repository it works on."""

    stop: Stop
    environ: Mapping[str, str]
    """PATH and the network's variables; nothing else of our environment."""
    protocol: str = "none"
    """The only transport this git may use."""
    credentials: Credentials | None = None
    """Only where the remote is spoken to."""
    repository: Path | None = None
    work_tree: Path | None = None
    index: Path | None = None

    def at(self, repository: Path, *, work_tree: Path | None = None, index: str = "index") -> "Git":
        """The same git for one repository's trusted directory, maybe with a foreign work tree."""
        directory = repository / ".git"
        return replace(
            self,
            repository=directory,
            work_tree=work_tree or repository,
            index=directory / index,
        )

    def __call__(
        self,
        verb: str,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = 120,
        allowed: Sequence[int] = (0,),
        environ: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run one command and return what it printed.

        Raises:
            GitFailed: it ended with a code that is not allowed.
            Failure: `git_timed_out` after so many seconds.
            Stopped: the attempt was stopped; git is dead.
        """
        # From a file, never a pipe: `communicate` with a time limit writes no more than the pipe
        # takes at once (64 KiB), and git would wait for the rest for ever.
        with tempfile.TemporaryFile() as source:
            source.write(stdin)
            source.seek(0)
            process = subprocess.Popen(
                ["git", *self._options(), verb, *arguments],
                cwd=self.work_tree or "/",
                env={**self._environ(), **(environ or {})},
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        out, err = self._communicate(process, verb, seconds)
        if process.returncode not in allowed:
            raise GitFailed(verb, process.returncode, err.decode(errors="replace"))
        return out

    def text(self, verb: str, *arguments: str) -> str:
        """The same for output that is one line of text."""
        return self(verb, *arguments).decode(errors="replace").strip()

    def version(self) -> tuple[int, int]:
        """Major and minor; (0, 0) if it says something else."""
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

        try:
            if not self.stop.until(is_done, seconds=seconds):
                message = f"git {verb} took longer than {seconds:.0f} s"
                raise Failure("git_timed_out", message, retryable=True)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return captured[0]

    def _options(self) -> list[str]:
        pairs = [*NEUTRAL, *(self.credentials.options if self.credentials else ())]
        return [option for pair in pairs for option in ("-c", pair)]

    def _environ(self) -> dict[str, str]:
        environ = {
            **self.environ,
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": self.protocol,
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new",
        }
        places = {
            "GIT_DIR": self.repository,
            "GIT_WORK_TREE": self.work_tree,
            "GIT_INDEX_FILE": self.index,
        }
        environ |= {name: str(place) for name, place in places.items() if place is not None}
        return environ | (self.credentials.environ if self.credentials else {})
