"""The remote's branches and tags, checked before an agent is paid and again before the push.

Git keeps branches as paths: where `slipgate` is a branch, no `slipgate/x` can be one, and the
reverse. A clone takes a tag for a branch, and calls a repository empty whose HEAD points nowhere.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from ..failure import Failure, RepositoryRejected
from .address import Repository
from .git import Git, GitFailed, init_borrowing
from .push_failure import is_passing
from .remote import Clone, Remote

SECONDS: Final = 120.0
HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
SYMBOLIC: Final = "ref: "
SHOWN_BRANCHES: Final = 10
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_CERTIFICATE: Final = re.compile(r"certificate|server verification failed|\bCA\b", re.IGNORECASE)


class RemoteRefs(msgspec.Struct, frozen=True, kw_only=True):
    references: Mapping[str, str]
    """Name → commit."""
    head: str | None
    """The branch that HEAD points at, if the remote says so."""

    def check_base(self, base_branch: str | None) -> None:
        """Raise `RepositoryRejected` unless it is a branch; None is the one of HEAD."""
        if self._has(base_branch):
            return
        branches = [name.removeprefix(HEADS) for name in self.references if name.startswith(HEADS)]
        if not branches:
            message = "the repository has no commit to begin from"
            raise RepositoryRejected("empty_repository", message)
        if base_branch is None:
            code = "remote_head_missing"
            message = "the remote's HEAD points at no branch: name a baseBranch"
        elif f"{TAGS}{base_branch}" in self.references:
            code = "base_branch_is_tag"
            message = f"{base_branch!r} (BASE_BRANCH) is a tag: name a branch"
        elif _COMMIT.fullmatch(base_branch):
            code = "base_branch_is_commit"
            message = f"{base_branch!r} (BASE_BRANCH) is a commit: name a branch"
        else:
            code = "base_branch_missing"
            message = f"the repository has no branch {base_branch!r} (BASE_BRANCH)"
        raise RepositoryRejected(code, f"{message}. It has: {_listed(branches)}")

    def has_branch(self, name: str) -> bool:
        return f"{HEADS}{name}" in self.references

    def _has(self, base_branch: str | None) -> bool:
        if base_branch is not None:
            return f"{HEADS}{base_branch}" in self.references
        tip = self.references.get("HEAD")
        heads = {sha for name, sha in self.references.items() if name.startswith(HEADS)}
        return tip is not None and (self.head is not None or tip in heads)

    def conflict_of(self, branch: str) -> str | None:
        """A branch that is a folder of this one's path, or the reverse."""
        for name in self.references:
            other = name.removeprefix(HEADS)
            is_nested = branch.startswith(f"{other}/") or other.startswith(f"{branch}/")
            if name.startswith(HEADS) and is_nested:
                return other
        return None

    def free_name(self, branch: str, task_id: str) -> str:
        """The branch's name, or another for one that nobody chose; raises `branch_in_the_way`."""
        other = self.conflict_of(branch)
        if other is None:
            return branch
        instead = f"slipgate-{task_id}"
        if branch == f"slipgate/{task_id}" and self.conflict_of(instead) is None:
            return instead
        message = (
            f"the branch {other!r} is in the way of {branch!r}: git can hold one of them alone. "
            f"Name another branchName, such as {instead!r}"
        )
        raise RepositoryRejected("branch_in_the_way", message)


def list_refs(git: Git, repository: Repository) -> RemoteRefs:
    """Ask the remote; raises `clone_failed` if it does not answer us."""
    try:
        listed = git("ls-remote", "--quiet", "--symref", "--", repository.url, seconds=SECONDS)
    except GitFailed as exc:
        raise _failure(exc) from exc
    lines = listed.decode(errors="surrogateescape").splitlines()
    pairs = [(name, value) for value, _, name in (line.partition("\t") for line in lines)]
    heads = [value for name, value in pairs if name == "HEAD" and value.startswith(SYMBOLIC)]
    return RemoteRefs(
        references={name: value for name, value in pairs if not value.startswith(SYMBOLIC)},
        head=heads[0].removeprefix(SYMBOLIC) if heads else None,
    )


def base_moved(remote: Remote, clone: Clone, workdir: Path) -> str:
    """A sentence if the base branch was deleted or rewritten since the clone; else empty."""
    branch, base_sha = clone.base_branch, clone.base_sha
    tip = remote.tip(branch)
    if tip == base_sha:
        return ""
    if tip is None:
        return f"The base branch `{branch}` was deleted while the agent worked."
    init_borrowing(workdir, base_sha, objects=[clone.objects])
    if remote.contains(workdir, branch, base_sha):
        return ""
    return (
        f"The base branch `{branch}` was rewritten while the agent worked: it no longer has the"
        f" commit {base_sha[:12]} that this work begins from."
    )


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
