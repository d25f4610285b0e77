"""The steps of a task that goes on with an earlier one's branch and pull request."""

import re
from typing import Final

from ..configuration import Continuation
from ..failure import Failure, RepositoryRejected
from ..publication.feedback import Feedback
from ..publication.github import GitHub
from ..publication.publisher import Publisher
from .context import StepContext

_PULL: Final = re.compile(r"/pull/(\d{1,9})/?$")


def check_requester(continuation: Continuation, github: GitHub | None) -> None:
    """Refuse work that somebody without write access asked for on GitHub.

    Raises `requester_not_allowed`, `github_unreachable` (GitHub does not say).
    """
    login = continuation.requested_by
    if login is None:
        return
    may_write = github.may_write(login) if github is not None else None
    if may_write is None:
        message = f"GitHub does not say whether {login!r}, who asked for this, may write to it"
        raise Failure("github_unreachable", message, retryable=True)
    if not may_write:
        message = f"{login!r}, who asked for this, may not write to the repository"
        raise RepositoryRejected("requester_not_allowed", message)


def begin_thread(context: StepContext, publisher: Publisher) -> None:
    """Tell in the thread of the pull request that the work on it has begun."""
    continuation = context.configuration.continuation
    found = _PULL.search((continuation.pr_url if continuation else None) or "")
    if found is not None and publisher.github is not None and context.continues:
        context.thread = publisher.thread(publisher.github, found[1])
        context.thread.begin()


def feedback(context: StepContext, github: GitHub | None, commit: str) -> str:
    """The reviews and failed checks of the pull request; empty if there is none to read."""
    continuation = context.configuration.continuation
    if continuation is None or github is None:
        return ""
    number = _PULL.search(continuation.pr_url or "")
    if number is None:
        return ""
    context.enter("clone", f"Reading the reviews and checks of {continuation.pr_url}")
    return Feedback(github, number=int(number[1]), commit=commit).read()
