"""The git commands of the fakes, without the settings of the user."""

import os
import subprocess
from pathlib import Path
from typing import Final

SECONDS: Final = 60
_AUTHOR: Final = {
    "GIT_AUTHOR_NAME": "slipgate demo",
    "GIT_AUTHOR_EMAIL": "demo@slipgate.invalid",
    "GIT_COMMITTER_NAME": "slipgate demo",
    "GIT_COMMITTER_EMAIL": "demo@slipgate.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}


class GitFailed(Exception):
    """A git command failed; the message is its stderr."""


def git(*arguments: str, folder: Path) -> str:
    """Runs git in a folder and returns its stdout, without the last line break.

    Raises:
        GitFailed: it is not installed, took over a minute, or exited with an error.
    """
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=inherited | _AUTHOR,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.CalledProcessError as exc:
        raise GitFailed(f"git {arguments[0]}: {exc.stderr.strip()}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise GitFailed(f"git {arguments[0]}: {exc}") from exc
    return done.stdout.removesuffix("\n")


def branch_tip(repository: Path, branch: str) -> str | None:
    """The commit at the tip of a branch; None if there is no such branch."""
    revision = f"refs/heads/{branch}^{{commit}}"
    try:
        return git("rev-parse", "--verify", "--end-of-options", revision, folder=repository)
    except GitFailed:
        return None


def default_branch(repository: Path) -> str:
    return git("symbolic-ref", "--short", "HEAD", folder=repository)
