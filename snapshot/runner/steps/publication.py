"""The steps that the world sees: the push and the pull request."""

from pathlib import Path
from typing import Final

import msgspec

from ..failure import Failure
from ..publication.publisher import Work
from ..reporting.events import PushRequest, Receipt
from ..reporting.final_event import Review
from ..repository.branches import base_moved
from .context import StepContext
from .preparation import Start

TEMPORARY: Final = frozenset(
    {"clone_failed", "git_failed", "git_timed_out", "git_token_refused", "push_failed"}
)
"""Failures of a remote that is away: the work came from it, so it was there before."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end of validated work, published or not."""

    review: Review
    receipts: tuple[Receipt, ...]
    commit_sha: str | None = None
    pr_url: str | None = None
    is_refused: bool = False
    """The remote refused the branch, or GitHub the pull request: later it may take them."""


def publish(context: StepContext, start: Start, work: Work) -> Outcome:
    """Push and propose; raises `Failure` if another attempt may publish the work."""
    context.stage = "push"
    workdir = context.state.workdir("push")
    reviewed = work.review
    try:
        base = start.base if context.continues else work.clone
        note = base_moved(start.remote, base, workdir / "base")
        if note:
            reviewed = reviewed.with_note(note, is_complete=False)
        work = msgspec.structs.replace(work, review=reviewed)
        pushed = _pushed(context, start, work, workdir)
    except Failure as failure:
        if is_temporary(failure, continues=context.continues):
            raise
        note = f"The branch could not be pushed ({failure.code}): {failure.message}."
        reviewed = reviewed.with_note(note, is_complete=False)
        return Outcome(review=reviewed, receipts=work.receipts, is_refused=True)
    return propose(context, start, pushed)


def _pushed(context: StepContext, start: Start, work: Work, workdir: Path) -> PushRequest:
    """The push; once more where a token was refused that can be renewed."""
    try:
        return start.publisher.push(workdir / "push", work)
    except Failure as failure:
        token = context.configuration.github_token
        if failure.code != "git_token_refused" or token is None or not token.renew():
            raise
    return start.publisher.push(workdir / "again", work)


def propose(context: StepContext, start: Start, pushed: PushRequest) -> Outcome:
    """Open the pull request of a branch that is pushed."""
    context.stage = "pr"
    reviewed, pr_url = start.publisher.propose(pushed)
    return Outcome(
        review=reviewed,
        receipts=pushed.validation,
        commit_sha=pushed.commit_sha,
        pr_url=pr_url,
        is_refused=pr_url is None and start.publisher.github is not None,
    )


def is_temporary(failure: Failure, *, continues: bool) -> bool:
    """True if another attempt may publish work that is kept.

    A branch of ours that somebody else wrote to needs a person. To one that is gone on with people
    write, too: the next attempt goes on from there.
    """
    is_passing = failure.retryable and (continues or failure.code != "branch_moved")
    return failure.code in TEMPORARY or is_passing
