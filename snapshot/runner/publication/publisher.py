"""Brings finished work out: commit, push, pull request, asking before each act on the world."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..failure import Failure
from ..reporting.events import Progress, PullRequestCreated, PushRequest, Receipt
from ..reporting.reporter import Reporter
from ..reporting.review import Review
from ..repository import clean_checkout
from ..repository.address import RepositoryRejected
from ..repository.clean_checkout import Applied
from ..repository.git import Git
from ..repository.patch import Patch
from ..repository.remote import ATTEMPT_TRAILER, TASK_TRAILER, Clone, Remote, RemoteBranch
from . import pull_request_text
from .pull_request import GitHub, Proposal


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """Under which names the work goes out."""

    task_id: str
    attempt: int
    branch: str
    title: str
    author: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What goes out."""

    clone: Clone
    """At the commit that the patch applies to."""
    patch: Patch
    words: str
    """The agent's own, visible part only."""
    review: Review
    receipts: tuple[Receipt, ...]


class Publication:
    """One attempt's way to the remote and to GitHub."""

    def __init__(
        self,
        *,
        name: Name,
        git: Git,
        remote: Remote,
        github: GitHub | None,
        no_github: str,
        reporter: Reporter,
        redact: Callable[[str], str],
    ) -> None:
        self._name = name
        self._git = git
        self._remote = remote
        self._github = github
        self._no_github = no_github
        self._reporter = reporter
        self._redact = redact

    def may_write(self, found: RemoteBranch | None) -> None:
        """Hold what the remote has under our name against our name.

        Raises:
            RepositoryRejected: `branch_exists`, it is somebody else's work.
        """
        if found is not None and found.task_id != self._name.task_id:
            message = f"{self._name.branch} exists on the remote and is not this task's"
            raise RepositoryRejected("branch_exists", message)

    def check_permission(self) -> None:
        """Ask GitHub, where there is one, what it would refuse.

        Raises:
            Failure: with the rule.
        """
        if self._github is not None and not self._remote.is_local:
            self._github.check(self._name.branch)

    def push(self, workdir: Path, work: Work) -> PushRequest:
        """Commit in a new directory that no command has touched, ask, push.

        Raises:
            Stopped: the gateway says that this attempt is over.
            Failure: any step's own.
        """
        applied = clean_checkout.apply(self._git, work.clone, work.patch, workdir)
        commit = self._commit(applied, work)
        found = self._remote.find(workdir, self._name.branch)
        self.may_write(found)
        asked = PushRequest(
            stage="push",
            message=f"Pushing {self._name.branch}",
            commit_sha=commit,
            base_branch=work.clone.base_branch,
            summary=work.review.summary,
            is_complete=work.review.is_complete,
            validation=work.receipts,
        )
        self._reporter.ask(asked)
        expected = found.sha if found else None
        self._remote.push(workdir, commit, self._name.branch, expected=expected)
        return asked

    def propose(self, pushed: PushRequest) -> tuple[Review, str | None]:
        """Ask, open the pull request, tell; the address is None where there can be none."""
        review = Review(summary=pushed.summary, is_complete=pushed.is_complete)
        if self._github is None:
            return review.with_note(self._no_github), None
        message = f"Opening a draft pull request for {self._name.branch}"
        self._reporter.ask(Progress(stage="pr", message=message))
        try:
            opened = self._github.open(self._proposal(pushed))
        except Failure as failure:
            note = f"The branch is pushed, but there is no pull request: {failure.message}."
            return review.with_note(note, is_complete=False), None
        self._reporter.emit(
            PullRequestCreated(
                pr_url=opened.html_url,
                branch_name=self._name.branch,
                commit_sha=pushed.commit_sha,
                draft=opened.draft,
            )
        )
        if self._github.moved_to is not None:
            note = f"The repository is now {self._github.moved_to}: name it so in the next task."
            review = review.with_note(note)
        return review, opened.html_url

    def _commit(self, applied: Applied, work: Work) -> str:
        trailers = {
            TASK_TRAILER: self._name.task_id,
            ATTEMPT_TRAILER: str(self._name.attempt),
        }
        message = pull_request_text.commit_message(self._name.title, work.words, trailers=trailers)
        return clean_checkout.commit(
            self._git, applied, message=self._redact(message), author=self._name.author
        )

    def _proposal(self, pushed: PushRequest) -> Proposal:
        body = pull_request_text.body(
            pushed.summary,
            pushed.validation,
            task_id=self._name.task_id,
            attempt=self._name.attempt,
        )
        return Proposal(
            branch=self._name.branch,
            base=pushed.base_branch,
            title=self._redact(self._name.title),
            body=self._redact(body),
        )
