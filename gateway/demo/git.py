"""The few git commands that the stand-ins need, by argument lists and without anyone's settings."""

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
    """A git command ended badly; its words are the message."""


def git(*arguments: str, folder: Path) -> str:
    """Run git in a folder and return what it printed, without the last line break.

    Raises:
        GitFailed: it is not installed, took over a minute, or ended with another code than 0.
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
    """The commit at the tip of a branch, or None if there is no such branch."""
    revision = f"refs/heads/{branch}^{{commit}}"
    try:
        return git("rev-parse", "--verify", "--end-of-options", revision, folder=repository)
    except GitFailed:
        return None


def default_branch(repository: Path) -> str:
    """The branch that HEAD of a repository points at."""
    return git("symbolic-ref", "--short", "HEAD", folder=repository)
