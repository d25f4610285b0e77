"""Publishes finished work: commit, push, pull request, with an ask before each of the last two."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..failure import Failure, RepositoryRejected
from ..reporting.events import Progress, PullRequestCreated, PushRequest, Receipt
from ..reporting.final_event import Review
from ..reporting.kept_patch import SUMMARY_CHARACTERS
from ..reporting.reporter import Reporter
from ..repository import base_texts, clean_checkout
from ..repository.clean_checkout import Applied
from ..repository.git import Git
from ..repository.patch import Patch
from ..repository.plumbing import nul_list
from ..repository.remote import ATTEMPT_TRAILER, TASK_TRAILER, Clone, Remote, RemoteBranch
from ..repository.starting_state import CHECKOUT_SECONDS
from ..text import title
from ..truncation import first_of
from ..variables import Secret
from . import conventions
from .branch_rules import OurPush
from .commit_message import commit_message
from .github import GitHub, Proposal
from .masking import masked
from .pull_request import Facts, FileStat, body
from .push_request import fitting
from .thread import Thread


class Work(msgspec.Struct, frozen=True, kw_only=True):
    clone: Clone
    """At the commit that the patch applies to."""
    patch: Patch
    agent_title: str
    """Empty if it gave none."""
    agent_summary: str
    review: Review
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Publisher:
    task_id: str
    attempt: int
    branch: str
    title: str
    is_title_chosen: bool
    """False: a title of the agent is better."""
    written_by: str
    """The program and the model behind the agent."""
    issues: tuple[int, ...]
    """Of the same repository, which the task names."""
    author: tuple[str, str]
    signing_key: Secret | None
    is_ready: bool
    """Complete work is proposed as ready for review; all other is a draft."""
    git: Git
    remote: Remote
    github: GitHub | None
    no_github: str
    """The note of a review without a pull request."""
    reporter: Reporter
    continues: bool
    """The branch and its pull request are those of an earlier task, and are gone on with."""
    redact: Callable[[str], str]

    def find_pushed(
        self, clone: Clone, pushed: PushRequest | None, *, is_there: bool
    ) -> PushRequest | None:
        """The push of an earlier start of this attempt, if it was done; `is_there`: the remote had
        the branch a moment ago. One that appears since then is met at the push.

        If not, raises `Failure` for a push that will be refused, before a model is paid.
        """
        if self.branch == clone.base_branch:
            message = f"BRANCH_NAME is refused: {clone.base_branch} is the base branch"
            raise RepositoryRejected("branch_name_refused", message)
        found = self._find_ours(clone.directory) if is_there else None
        if found is not None and pushed is not None and found.sha == pushed.commit_sha:
            return pushed
        self.remote.check_push(clone, self.branch)
        if self.github is not None and not self.remote.is_local:
            self.github.check(
                OurPush(
                    branch=self.branch,
                    email=self.author[1],
                    is_signed=self.signing_key is not None,
                    is_there=is_there,
                )
            )
        self._check_signing(clone)
        return None

    def push(self, workdir: Path, work: Work) -> PushRequest:
        """Commit in a new directory that no command has touched, ask, push.

        Raises `Stopped` (the gateway says that this attempt is over), `Failure` (any step's own).
        """
        applied = clean_checkout.apply(self.git, work.clone, work.patch, workdir)
        texts = base_texts.read(self.git, work.clone, conventions.is_wanted)
        form = "" if self.continues else conventions.template(texts)
        sign_off = conventions.wants_sign_off(texts)
        commit = self._commit(applied, work, form, wants_sign_off=sign_off)
        expected = self._expected(workdir, work.clone)
        if expected is not None and clean_checkout.is_commit(self.git, applied, expected):
            commit = expected  # of an earlier attempt: many servers let no other take its place
        request = fitting(
            PushRequest(
                stage="push",
                message=f"Pushing {self.branch}",
                commit_sha=commit,
                base_branch=work.clone.base_branch,
                summary=first_of(work.review.summary, SUMMARY_CHARACTERS),
                is_complete=work.review.is_complete,
                validation=work.receipts,
                body=self._body(work, form),
                title=self._title(work),
            )
        )
        self.reporter.ask(request)
        if commit != expected:
            self.remote.push(workdir, commit, self.branch, expected=expected)
        return request

    def propose(self, pushed: PushRequest) -> tuple[Review, str | None]:
        """Ask, open the pull request, report it; its address is None where there can be none."""
        review = Review(summary=pushed.summary, is_complete=pushed.is_complete)
        if self.github is None:
            return review.with_note(self.no_github), None
        is_draft = not (self.is_ready and pushed.is_complete)
        kind = "a draft pull request" if is_draft else "a pull request"
        self.reporter.ask(Progress(stage="pr", message=f"Opening {kind} for {self.branch}"))
        proposal = self._proposal(pushed, is_draft=is_draft)
        try:
            found = self.github.find(self.branch) if self.continues else None
            opened = found or self.github.open(proposal)
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
        if found is not None:
            # Not before it is reported: GitHub may let the comment wait.
            self.thread(self.github, found.number).end(proposal.body)
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
        found = self._find_ours(workdir)
        if self.continues and (found is None or found.task_id != self.task_id):
            return clone.base_sha
        return found.sha if found else None

    def thread(self, github: GitHub, number: str) -> Thread:
        return Thread(
            github=github,
            number=number,
            task_id=self.task_id,
            attempt=self.attempt,
            redact=self.redact,
        )

    def _check_signing(self, clone: Clone) -> None:
        """Sign a commit that nobody gets; raises `signing_failed`."""
        if self.signing_key is None:
            return
        base = clone.base_sha
        tree = self.git.at(clone.directory).text("rev-parse", f"{base}^{{tree}}")
        applied = Applied(directory=clone.directory, base_sha=base, tree=tree)
        self._signed(applied, "A trial")

    def _title(self, work: Work) -> str:
        is_chosen = self.is_title_chosen or not work.agent_title
        return self.title if is_chosen else title(work.agent_title, "")

    def _commit(self, applied: Applied, work: Work, template: str, *, wants_sign_off: bool) -> str:
        name, email = self.author
        trailers = [f"{TASK_TRAILER}: {self.task_id}", f"{ATTEMPT_TRAILER}: {self.attempt}"]
        if wants_sign_off:
            trailers.append(f"Signed-off-by: {name} <{email}>")
        message = commit_message(self._title(work), work.agent_summary, trailers, template=template)
        return self._signed(applied, self.redact(message))

    def _signed(self, applied: Applied, message: str) -> str:
        author, key = self.author, self.signing_key
        return clean_checkout.commit(
            self.git, applied, message=message, author=author, signing_key=key
        )

    def _body(self, work: Work, template: str) -> str:
        facts = Facts(
            task_id=self.task_id,
            attempt=self.attempt,
            agent_summary=work.agent_summary,
            is_complete=work.review.is_complete,
            points=work.review.points,
            receipts=work.receipts,
            files=tuple(stats(self.git, work.patch.text)),
            issues=self.issues,
            template=template,
            written_by=self.written_by,
        )
        try:
            text = body(facts)
        except Exception:  # noqa: BLE001 - words of others: the work goes out without them
            traceback.print_exc()
            text = body(msgspec.structs.replace(facts, template="", agent_summary=""))
        return self.redact(text)

    def _proposal(self, pushed: PushRequest, *, is_draft: bool) -> Proposal:
        return Proposal(
            branch=self.branch,
            base=pushed.base_branch,
            title=self.redact(masked(pushed.title or self.title)),
            body=pushed.body,
            is_draft=is_draft,
        )


def stats(git: Git, patch: str) -> Iterator[FileStat]:
    """The lines that each file of a patch gains and loses."""
    listed = git("apply", "--numstat", "-z", "-", stdin=patch.encode(), seconds=CHECKOUT_SECONDS)
    for entry in nul_list(listed):
        added, removed, path = entry.decode(errors="replace").split("\t", 2)
        is_binary = added == "-"
        yield FileStat(
            path=path,
            added=None if is_binary else int(added),
            removed=None if is_binary else int(removed),
        )
