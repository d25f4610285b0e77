"""What the remote holds of the names a task needs, read before an agent is paid.

Git keeps branches as paths: where `slipgate` is a branch, no `slipgate/x` can be one, and the
reverse. A clone takes a tag for a branch, and calls a repository empty whose HEAD points nowhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..failure import Failure
from .address import Repository, RepositoryRejected
from .git import Git, GitFailed
from .push_failure import is_passing

SECONDS: Final = 120.0
HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
POINTS_AT: Final = "ref: "
SHOWN_BRANCHES: Final = 10
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_CERTIFICATE: Final = re.compile(r"certificate|server verification failed|\bCA\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteRefs:
    """The remote's references that matter, name → commit."""

    references: Mapping[str, str]
    head: str | None
    """The branch that HEAD points at, as far as the remote says."""

    def check_base(self, base_branch: str | None) -> None:
        """The branch to begin from must be one; None is the one that HEAD points at.

        Raises:
            RepositoryRejected: `empty_repository`, `remote_head_missing`, `base_branch_is_tag`,
                `base_branch_is_commit`, `base_branch_missing`.
        """
        if self._has(base_branch):
            return
        branches = [name.removeprefix(HEADS) for name in self.references if name.startswith(HEADS)]
        if not branches:
            raise RepositoryRejected(
                "empty_repository", "the repository has no commit to begin from"
            )
        has = f"It has: {_listed(branches)}"
        if base_branch is None:
            message = f"the remote's HEAD points at no branch: name a baseBranch. {has}"
            raise RepositoryRejected("remote_head_missing", message)
        if f"{TAGS}{base_branch}" in self.references:
            message = f"{base_branch!r} (BASE_BRANCH) is a tag: name a branch. {has}"
            raise RepositoryRejected("base_branch_is_tag", message)
        if _COMMIT.fullmatch(base_branch):
            message = f"{base_branch!r} (BASE_BRANCH) is a commit: name a branch. {has}"
            raise RepositoryRejected("base_branch_is_commit", message)
        message = f"the repository has no branch {base_branch!r} (BASE_BRANCH). {has}"
        raise RepositoryRejected("base_branch_missing", message)

    def _has(self, base_branch: str | None) -> bool:
        if base_branch is not None:
            return f"{HEADS}{base_branch}" in self.references
        tip = self.references.get("HEAD")
        heads = {sha for name, sha in self.references.items() if name.startswith(HEADS)}
        return tip is not None and (self.head is not None or tip in heads)

    def conflicting_branch(self, branch: str) -> str | None:
        """A branch beside which this one cannot be."""
        for name in self.references:
            other = name.removeprefix(HEADS)
            if name.startswith(HEADS) and _is_within(other, branch):
                return other
        return None


def list_refs(git: Git, repository: Repository) -> RemoteRefs:
    """Ask the remote for its branches and tags.

    Raises:
        Failure: `clone_failed`, the remote does not answer us.
    """
    try:
        listed = git("ls-remote", "--quiet", "--symref", "--", repository.url, seconds=SECONDS)
    except GitFailed as exc:
        raise _failure(exc) from exc
    lines = listed.decode(errors="surrogateescape").splitlines()
    pairs = [(name, value) for value, _, name in (line.partition("\t") for line in lines)]
    heads = [value for name, value in pairs if name == "HEAD" and value.startswith(POINTS_AT)]
    return RemoteRefs(
        references={name: value for name, value in pairs if not value.startswith(POINTS_AT)},
        head=heads[0].removeprefix(POINTS_AT) if heads else None,
    )


def free_name(found: RemoteRefs, branch: str, task_id: str) -> str:
    """The branch's name, or for one that nobody chose, another that can be.

    Raises:
        RepositoryRejected: `branch_in_the_way`.
    """
    other = found.conflicting_branch(branch)
    if other is None:
        return branch
    instead = f"slipgate-{task_id}"
    if branch == f"slipgate/{task_id}" and found.conflicting_branch(instead) is None:
        return instead
    message = (
        f"the branch {other!r} is in the way of {branch!r}: git can hold one of them alone. Name "
        f"another branchName, such as {instead!r}"
    )
    raise RepositoryRejected("branch_in_the_way", message)


def _is_within(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _listed(branches: list[str]) -> str:
    more = len(branches) - SHOWN_BRANCHES
    shown = ", ".join(sorted(branches)[:SHOWN_BRANCHES])
    return f"{shown} and {more} more" if more > 0 else shown


def _failure(exc: GitFailed) -> Failure:
    if _CERTIFICATE.search(exc.stderr):
        message = (
            f"the remote's certificate is not trusted. Name its authority in SSL_CERT_FILE, a "
            f"file in the sandbox: {exc.stderr}"
        )
        return Failure("clone_failed", message)
    return Failure("clone_failed", exc.message, retryable=is_passing(exc))
