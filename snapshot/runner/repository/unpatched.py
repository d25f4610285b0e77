"""Work of the agent that its references hold, and the patch lacks."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..failure import Failure
from .agents_git import AgentsGit
from .git import Git, init_borrowing
from .plumbing import changes_between
from .references import Reference, ReferenceKind
from .starting_state import StartingState

COMPARED: Final = 30
"""Commits; further ones are named without their paths."""


class Unpatched(NamedTuple):
    place: str
    paths: Sequence[bytes]
    """Empty where nobody could compare."""


def find(
    git: Git, workdir: Path, start: StartingState, agents: AgentsGit, patched: Mapping[bytes, bytes]
) -> list[Unpatched]:
    """The work on each branch, tag, stash or detached commit; `patched` has path → blob."""
    known = {start.base_sha, agents.head}
    if not agents.skipped and known.issuperset(one.revision for one in agents.references):
        return []
    init_borrowing(workdir, start.base_sha, objects=start.all_objects)
    try:
        return list(_Search(git.at(workdir), start, agents, patched).found())
    except Failure:
        return []


class _Search:
    """Works in a git directory of ours that borrows the agent's objects."""

    def __init__(
        self, git: Git, start: StartingState, agents: AgentsGit, patched: Mapping[bytes, bytes]
    ) -> None:
        self._git = git
        self._base_sha = start.base_sha
        self._agents = agents
        self._patched = patched
        head = agents.head or start.base_sha
        commits = self._commits([head, *(one.revision for one in agents.references)])
        self._head = commits[0] or start.base_sha
        pairs = zip(agents.references, commits[1:], strict=True)
        self._pairs = [(one, commit) for one, commit in pairs if commit]

    def found(self) -> Iterator[Unpatched]:
        if hidden := self._hidden():
            yield Unpatched("HEAD", hidden)
        for number, (commit, reference) in enumerate(self._candidates().items()):
            if number >= COMPARED or time.monotonic() > self._git.ends_at:
                yield Unpatched(str(reference), ())
            elif missing := self._missing(self._fork(commit), commit):
                yield Unpatched(str(reference), missing)

    def _hidden(self) -> list[bytes]:
        """The work in the checked out commit that a sparse checkout keeps off the disk."""
        skipped = self._agents.skipped
        missing = self._missing(self._base_sha, self._head) if skipped else []
        return [path for path in missing if path in skipped]

    def _candidates(self) -> dict[str, Reference]:
        """Commit → reference that holds it, of what is neither checked out nor fetched.

        The directory shows the work of the checked out commit as the agent wants it to be.
        """
        kinds = ReferenceKind
        fetched = [commit for one, commit in self._pairs if one.kind is kinds.REMOTE]
        known = {self._base_sha, self._head, *fetched}
        pairs = [(one, commit) for one, commit in self._pairs if commit not in known]
        listed = self._listed((commit for _, commit in pairs), known, "--children")
        tags = {commit for one, commit in pairs if one.kind is kinds.TAG and commit in listed}
        ours = self._listed(tags, {self._base_sha}, "--ancestry-path") if tags else {}
        found: dict[str, Reference] = {}
        for one, commit in pairs:
            is_fetched = one.kind is kinds.TAG and commit not in ours
            # The agent went on from it: its later commit holds the work.
            is_passed = one.kind is kinds.DETACHED and bool(listed.get(commit))
            if commit in listed and not is_fetched and not is_passed:
                found.setdefault(commit, one)
        return found

    def _listed(
        self, commits: Iterable[str], known: Iterable[str], option: str
    ) -> dict[str, list[str]]:
        """Commit → its children, of all that these commits reach and the known ones do not."""
        revisions = [*commits, *(f"^{commit}" for commit in known)]
        listed = self._git("rev-list", "--stdin", option, stdin="\n".join(revisions).encode())
        lines = (line.split(" ") for line in listed.decode().splitlines())
        return {commit: children for commit, *children in lines}

    def _commits(self, revisions: Sequence[str]) -> list[str | None]:
        """The commit of each revision; None where it is missing, or is none."""
        asked = "".join(f"{revision}^{{commit}}\n" for revision in revisions)
        check = ("cat-file", "--batch-check=%(objectname)", "--buffer")
        lines = self._git(*check, stdin=asked.encode()).decode().splitlines()
        return [None if " " in line else line for line in lines]

    def _fork(self, commit: str) -> str:
        """The commit from which the work began."""
        known = (self._base_sha, self._head)
        found = self._git("merge-base", commit, *known, allowed=(0, 1)).decode().strip()
        return found or self._base_sha

    def _missing(self, before: str, commit: str) -> list[bytes]:
        """Paths that a commit writes, and that the patch does not have with these contents."""
        return [
            change.path
            for change in changes_between(self._git, before, commit)
            if change.is_written and self._patched.get(change.path) != change.blob
        ]
