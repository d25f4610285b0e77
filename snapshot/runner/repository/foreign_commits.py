"""Commits that others made and the agent took over: it fetched them, and its work holds them."""

from pathlib import Path
from typing import Final

from ..failure import Failure
from .agents_git import LOOK_SECONDS, AgentsGit
from .git import Git, init_borrowing
from .references import ReferenceKind
from .starting_state import StartingState
from .undone_commits import shown

MOST: Final = 20


def find(git: Git, workdir: Path, start: StartingState, agents: AgentsGit) -> list[str]:
    """Short id and subject of each, newest first; empty where git cannot tell."""
    remote = (one for one in agents.references if one.kind is ReferenceKind.REMOTE)
    fetched = {one.revision for one in remote} - {start.base_sha}
    if not fetched or agents.head in {None, start.base_sha}:
        return []
    init_borrowing(workdir, start.base_sha, objects=start.all_objects)
    try:
        return _taken_over(git.at(workdir), start.base_sha, str(agents.head), fetched)
    except Failure:
        return []


def _taken_over(git: Git, base_sha: str, head: str, fetched: set[str]) -> list[str]:
    theirs = {sha for sha, _ in _commits(git, [*fetched, f"^{base_sha}"])}
    held = _commits(git, [head, f"^{base_sha}"]) if theirs else []
    return [shown(f"{sha} {subject}".encode()) for sha, subject in held if sha in theirs][:MOST]


def _commits(git: Git, revisions: list[str]) -> list[tuple[str, str]]:
    """Id and subject of all that is reached."""
    options = ("--stdin", "--ignore-missing", "--no-merges", "--format=%H %s")
    listed = git("log", *options, stdin="\n".join(revisions).encode(), seconds=LOOK_SECONDS)
    pairs = (line.partition(" ") for line in listed.decode(errors="replace").splitlines())
    return [(sha, subject) for sha, _, subject in pairs]
