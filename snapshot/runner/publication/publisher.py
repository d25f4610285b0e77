"""Publishes finished work: commit, push, pull request, with an ask before each of the last two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..failure import Failure, RepositoryRejected
from ..reporting.events import Progress, PullRequestCreated, PushRequest, Receipt
from ..reporting.final_event import Review
from ..reporting.reporter import Reporter
from ..repository import clean_checkout
from ..repository.git import Git
from ..repository.patch import Patch
from ..repository.remote import ATTEMPT_TRAILER, TASK_TRAILER, Clone, Remote, RemoteBranch
from .github import GitHub, Proposal, PullRequest


class Work(msgspec.Struct, frozen=True, kw_only=True):
    clone: Clone
    """At the commit that the patch applies to."""
    patch: Patch
    agent_summary: str
    review: Review
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Publisher:
    task_id: str
    attempt: int
    branch: str
    title: str
    author: tuple[str, str]
    git: Git
    remote: Remote
    github: GitHub | None
    no_github: str
    """The note of a review without a pull request."""
    reporter: Reporter
    continues: bool
    """The branch and its pull request are those of an earlier task, and are gone on with."""
    redact: Callable[[str], str]

    def find_pushed(self, clone: Clone, pushed: PushRequest | None) -> PushRequest | None:
        """The push of an earlier start of this attempt, if it was done.

        If not, raises `Failure` for a push that will be refused, before a model is paid.
        """
        if self.branch == clone.base_branch:
            message = f"BRANCH_NAME is refused: {clone.base_branch} is the base branch"
            raise RepositoryRejected("branch_name_refused", message)
        found = self._find_ours(clone.directory)
        if found is not None and pushed is not None and found.sha == pushed.commit_sha:
            return pushed
        self.remote.check_push(clone, self.branch)
        if self.github is not None and not self.remote.is_local:
            self.github.check(self.branch)
        return None

    def push(self, workdir: Path, work: Work) -> PushRequest:
        """Commit in a new directory that no command has touched, ask, push.

        Raises `Stopped` (the gateway says that this attempt is over), `Failure` (any step's own).
        """
        applied = clean_checkout.apply(self.git, work.clone, work.patch, workdir)
        message = self.redact(self._commit_message(work.agent_summary))
        author = self.author
        commit = clean_checkout.commit(self.git, applied, message=message, author=author)
        expected = self._expected(workdir, work.clone)
        request = PushRequest(
            stage="push",
            message=f"Pushing {self.branch}",
            commit_sha=commit,
            base_branch=work.clone.base_branch,
            summary=work.review.summary,
            is_complete=work.review.is_complete,
            validation=work.receipts,
        )
        self.reporter.ask(request)
        self.remote.push(workdir, commit, self.branch, expected=expected)
        return request

    def propose(self, pushed: PushRequest) -> tuple[Review, str | None]:
        """Ask, open the pull request, report it; its address is None where there can be none."""
        review = Review(summary=pushed.summary, is_complete=pushed.is_complete)
        if self.github is None:
            return review.with_note(self.no_github), None
        message = f"Opening a draft pull request for {self.branch}"
        self.reporter.ask(Progress(stage="pr", message=message))
        try:
            opened = self._proposed(self.github, self._proposal(pushed))
        except Failure as failure:
            note = f"The branch is pushed, but there is no pull request: {failure.message}."
            return review.with_note(note, is_complete=False), None
        self.reporter.emit(
            PullRequestCreated(
                pr_url=opened.html_url,
                branch_name=self.branch,
                commit_sha=pushed.commit_sha,
                draft=opened.draft,
            )
        )
        if self.github.moved_to is not None:
            note = f"The repository is now {self.github.moved_to}: name it so in the next task."
            review = review.with_note(note)
        return review, opened.html_url

    def _find_ours(self, directory: Path) -> RemoteBranch | None:
        """The remote's branch of our name; raises `branch_exists` if it is not this task's."""
        found = self.remote.find(directory, self.branch)
        is_ours = self.continues or found is None or found.task_id == self.task_id
        if not is_ours:
            message = f"{self.branch} exists on the remote and is not this task's"
            raise RepositoryRejected("branch_exists", message)
        return found

    def _expected(self, workdir: Path, clone: Clone) -> str | None:
        """The commit that the branch has if nobody else wrote to it: ours of an earlier attempt,
        which is replaced, or the one that is gone on from."""
        if self.continues:
            return clone.base_sha
        found = self._find_ours(workdir)
        return found.sha if found else None

    def _proposed(self, github: GitHub, proposal: Proposal) -> PullRequest:
        """A new pull request, or the open one that is gone on with, which is told in its thread."""
        opened = github.find(self.branch) if self.continues else None
        if opened is None:
            return github.open(proposal)
        try:
            github.comment(opened, proposal.body)
        except Failure as failure:
            print(f"slipgate: the pull request has no comment: {failure.message}", flush=True)
        return opened

    def _commit_message(self, agent_summary: str) -> str:
        trailers = f"{TASK_TRAILER}: {self.task_id}\n{ATTEMPT_TRAILER}: {self.attempt}"
        return "\n\n".join(filter(None, (self.title, agent_summary, trailers))) + "\n"

    def _proposal(self, pushed: PushRequest) -> Proposal:
        body = pull_request_body(
            pushed.summary, pushed.validation, task_id=self.task_id, attempt=self.attempt
        )
        return Proposal(
            branch=self.branch,
            base=pushed.base_branch,
            title=self.redact(self.title),
            body=self.redact(body),
        )


def pull_request_body(
    summary: str, receipts: Sequence[Receipt], *, task_id: str, attempt: int
) -> str:
    """Markdown: the summary, a table of the receipts, the origin."""
    header = ["| validation | exit code | seconds |", "|---|---|---|"]
    table = "\n".join([*header, *map(_row, receipts)]) if receipts else ""
    origin = f"Task `{task_id}`, attempt {attempt}."
    return "\n\n".join([summary, *([table] if table else []), origin])


def _row(receipt: Receipt) -> str:
    command = _cell(receipt.command).replace("`", "'")
    if receipt.status == "not_run":
        result = f"not run: {_cell(receipt.reason)}"
    elif receipt.exit_code is None:
        result = _cell(receipt.reason)
    else:
        result = str(receipt.exit_code)
    return f"| `{command}` | {result} | {receipt.seconds:.1f} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
