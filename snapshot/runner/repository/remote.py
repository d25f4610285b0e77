"""The remote repository: the one clone of it, its branch of ours, and the one push."""

from pathlib import Path
from typing import Final

import msgspec

from ..failure import Failure
from .address import Repository
from .git import Git, GitFailed, object_format
from .push_failure import is_passing, push_failure

CLONE_SECONDS: Final = 900.0
PUSH_SECONDS: Final = 300.0
TASK_TRAILER: Final = "Slipgate-Task"
ATTEMPT_TRAILER: Final = "Slipgate-Attempt"


class RemoteBranch(msgspec.Struct, frozen=True, kw_only=True):
    """The tip of a branch on the remote, and the task that its trailer names."""

    sha: str
    task_id: str | None


class Clone(msgspec.Struct, frozen=True, kw_only=True):
    directory: Path
    """Its `.git` is ours; there are no files."""
    base_sha: str
    base_branch: str

    @property
    def objects(self) -> Path:
        return self.directory / ".git" / "objects"


class Remote:
    def __init__(self, git: Git, repository: Repository, base_branch: str | None) -> None:
        self._git = git
        self._repository = repository
        self._base_branch = base_branch

    @property
    def is_local(self) -> bool:
        """True for a folder of this machine, a stand-in for GitHub's."""
        return self._repository.scheme == "file"

    def clone(self, directory: Path) -> Clone:
        """A clone of the base branch alone, without files.

        Raises `clone_failed`, `base_branch_missing`, `empty_repository`.
        """
        wanted = [f"--branch={self._base_branch}"] if self._base_branch else []
        options = ["--quiet", "--single-branch", "--no-tags", "--template=", "--no-checkout"]
        try:
            self._git(
                *("clone", *options, *wanted, "--", self._repository.url, str(directory)),
                seconds=CLONE_SECONDS,
            )
        except GitFailed as exc:
            raise self._clone_failure(exc) from exc
        git = self._git.at(directory)
        try:
            sha = git.text("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except GitFailed as exc:
            message = "the repository has no commit to begin from"
            raise Failure("empty_repository", message) from exc
        branch = self._base_branch or git.text("symbolic-ref", "--short", "HEAD")
        return Clone(directory=directory, base_sha=sha, base_branch=branch)

    def clone_or_commit(self, workdir: Path, commit: str | None) -> Clone:
        """A clone of the base branch; if that is gone, of the commit that earlier work began from.

        Raises as `clone` does.
        """
        try:
            return self.clone(workdir / "main")
        except Failure as failure:
            if commit is None or failure.code not in {"base_branch_missing", "empty_repository"}:
                raise
        directory = workdir / "commit"
        hashing = f"--object-format={object_format(commit)}"
        self._git("init", "--quiet", "--template=", hashing, "--", str(directory))
        self._git.at(directory)("remote", "add", "origin", self._repository.url)
        branch = self._base_branch or "HEAD"
        clone = Clone(directory=directory, base_sha=commit, base_branch=branch)
        if not self.has(clone, commit):
            message = f"the repository has neither {branch!r} nor {commit[:12]}, where it began"
            raise Failure("base_branch_missing", message)
        return clone

    def at_tip(self, clone: Clone, branch: str) -> Clone:
        """The clone at the tip of another branch; raises `continued_branch_missing`."""
        sha = self.tip(branch)
        if sha is None or not self.has(clone, sha):
            raise Failure("continued_branch_missing", f"the remote has no branch {branch!r}")
        return msgspec.structs.replace(clone, base_sha=sha)

    def before_task(self, clone: Clone, task_id: str) -> Clone:
        """The clone at the commit before those that the task's own attempts have pushed there."""
        git, commit = self._git.at(clone.directory), clone.base_sha
        while self._task_of(git, commit) == task_id:
            commit = git.text("rev-parse", "--verify", f"{commit}^")
        return msgspec.structs.replace(clone, base_sha=commit)

    def find(self, directory: Path, branch: str) -> RemoteBranch | None:
        """The remote's branch of this name; `directory`/.git is used to read it."""
        sha = self.tip(branch)
        if sha is None:
            return None
        git = self._git.at(directory)
        self._fetch(git, f"refs/heads/{branch}")
        return RemoteBranch(sha=sha, task_id=self._task_of(git, sha))

    @staticmethod
    def _task_of(git: Git, commit: str) -> str | None:
        trailer = f"--format=%(trailers:key={TASK_TRAILER},valueonly,separator=%x2C)"
        return git.text("log", "-1", trailer, "--end-of-options", commit, "--") or None

    def tip(self, branch: str) -> str | None:
        """The commit that the remote's branch has now."""
        reference = f"refs/heads/{branch}"
        url = self._repository.url
        listed = self._git.text("ls-remote", "--heads", "--", url, reference)
        tips = (line.split("\t") for line in listed.splitlines())
        return next((sha for sha, name in tips if name == reference), None)

    def has(self, clone: Clone, commit: str) -> bool:
        """True if the clone has a commit, or can get it from the remote."""
        git = self._git.at(clone.directory)
        wanted = ("cat-file", "-e", f"{commit}^{{commit}}")
        try:
            git(*wanted)
        except GitFailed:
            try:
                self._fetch(git, commit)
                git(*wanted)
            except GitFailed:
                return False
        return True

    def contains(self, directory: Path, branch: str, commit: str) -> bool:
        """True if the remote's branch, as it is now, contains a commit."""
        git = self._git.at(directory)
        self._fetch(git, f"refs/heads/{branch}")
        try:
            git("merge-base", "--is-ancestor", commit, "FETCH_HEAD")
        except GitFailed:
            return False
        return True

    def push(self, directory: Path, commit: str, branch: str, *, expected: str | None) -> None:
        """Push the commit if the branch is still at `expected` (None: absent).

        Raises `branch_moved` if it is not, else by the remote's answer.
        """
        reference = f"refs/heads/{branch}"
        lease = f"--force-with-lease={reference}:{expected or ''}"
        git = self._git.at(directory)
        arguments = ("--quiet", lease, "--", self._repository.url, f"{commit}:{reference}")
        try:
            git("push", *arguments, seconds=PUSH_SECONDS)
        except GitFailed as exc:
            raise push_failure(exc, branch) from exc

    def check_push(self, clone: Clone, branch: str) -> None:
        """Try the push without doing it; only a real push runs a server's hooks and rules."""
        git = self._git.at(clone.directory)
        reference = f"{clone.base_sha}:refs/heads/{branch}"
        options = ("--quiet", "--dry-run", "--force")
        try:
            git("push", *options, "--", "origin", reference, seconds=PUSH_SECONDS)
        except GitFailed as exc:
            failure = push_failure(exc, branch)
            if failure.code != "push_failed":
                raise failure from exc

    def _fetch(self, git: Git, reference: str) -> None:
        options = ("--quiet", "--no-tags")
        git("fetch", *options, "--", self._repository.url, reference, seconds=CLONE_SECONDS)

    def _clone_failure(self, exc: GitFailed) -> Failure:
        if "Remote branch" in exc.stderr and "not found" in exc.stderr:
            message = f"the repository has no branch {self._base_branch!r} (BASE_BRANCH)"
            return Failure("base_branch_missing", message)
        return Failure("clone_failed", exc.message, retryable=is_passing(exc))
