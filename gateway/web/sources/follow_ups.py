"""Follow-ups: a message of GitHub about our pull request as the task that continues it."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import httpx
import msgspec

from gateway.domain.kernel.commands import Callback, CreateTask
from gateway.domain.kernel.keyring import UnknownKey
from gateway.domain.kernel.sealing import Sealed, callback_url_context, env_context
from gateway.domain.repositories.allowed import check_repository
from gateway.domain.sources.message import FollowUpNotice, Message
from gateway.domain.tasks.continuation import continuation_of
from gateway.domain.tasks.spec import FollowUpKind, Spec
from gateway.domain.tasks.task import Task
from gateway.web.context import Context
from gateway.web.deliveries.addresses import origin_of
from gateway.web.tasks.creation import key_of, title_of
from gateway.wire.decode import decode
from gateway.wire.sources import (
    CheckRunEvent,
    CommentEvent,
    GitHubText,
    GitHubUser,
    ReviewEvent,
)

COMMAND: Final = "/slipgate"
PROMPT_CHARACTERS: Final = 20_000
WRITERS: Final = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Relations to a repository that may include write access; the runner asks GitHub for certainty."""
FAILED: Final = frozenset({"failure", "timed_out"})


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """A message that asks for work on a pull request."""

    kind: FollowUpKind
    url: str
    """The address of the pull request."""
    prompt: str
    at: datetime | None
    requested_by: str | None = None
    """None: a check, which nobody wrote."""


def read_follow_up(event: str, body: bytes) -> FollowUp | None:
    """The request in a message of GitHub; None if it asks for nothing, or its author may not."""
    reader = _READERS.get(event)
    return reader(body) if reader is not None else None


async def follow_up_notice(
    context: Context, message_id: str, body: bytes, asked: FollowUp
) -> FollowUpNotice | None:
    """The command that creates the task; None if the pull request is not ours.

    Raises `repo_not_allowed`: the repository was allowed when its first task came.
    """
    found = await context.reads.newest_of_pull_request(asked.url)
    if found is None:
        return None
    _, spec = found
    check_repository(
        spec.repo_url,
        "repoUrl",
        allow_file=context.allow_file_repos,
        allowed=context.allowed_repos,
    )
    message = Message(source="github", id=message_id, body_hash=hashlib.sha256(body).hexdigest())
    return FollowUpNotice(
        message=message,
        url=asked.url,
        kind=asked.kind,
        creation=await _creation(context, *found, asked),
        limit=context.follow_up_limit,
    )


async def _creation(context: Context, task: Task, spec: Spec, asked: FollowUp) -> CreateTask:
    """The earlier task's settings, env and callback; today's frontend knows one task a workspace,
    and is not called back."""
    task_id = context.new_id("task")
    secrets = await context.reads.secrets(task.id)
    env = _opened(context, secrets.env if secrets else None, env_context(task.id))
    url = _opened(context, secrets.callback_url if secrets else None, callback_url_context(task.id))
    endpoint_id = spec.endpoint_id if url is not None and spec.flat is None else None
    continues = continuation_of(task, spec, follow_up=asked.kind, requested_by=asked.requested_by)
    callback = None
    if url is not None and endpoint_id is not None:
        callback = Callback(
            endpoint_id=endpoint_id,
            origin=origin_of(httpx.URL(url.decode())),
            url=context.seal(url, callback_url_context(task_id)),
        )
    return CreateTask(
        task_id=task_id,
        spec=msgspec.structs.replace(
            spec,
            prompt=asked.prompt,
            title=title_of(asked.prompt),
            continues=continues,
            concurrency_key=key_of(task, spec),
            callback_url=spec.callback_url if callback else None,
            endpoint_id=endpoint_id,
            not_before=None,
            traceparent=context.metrics.traces.traceparent(None, task_id),
            flat=None,
        ),
        env=context.seal(env, env_context(task_id)) if env is not None else None,
        callback=callback,
    )


def _opened(context: Context, sealed: Sealed | None, purpose: str) -> bytes | None:
    """None if it is erased, or its master key is no longer given."""
    if sealed is None:
        return None
    try:
        return context.keyring.open(sealed, context=purpose)
    except UnknownKey:
        return None


def _of_comment(body: bytes) -> FollowUp | None:
    event = decode(CommentEvent, body)
    pull, comment = event.issue.pull_request, event.comment
    words = (comment.body or "").split(maxsplit=1)
    is_command = event.action == "created" and words[:1] == [COMMAND]
    if pull is None or not is_command or not _may_ask(comment):
        return None
    prompt = words[1] if len(words) > 1 else "Address the reviews and failed checks."
    return _asked("comment", pull.html_url, prompt, comment.created_at, comment.user)


def _of_review(body: bytes) -> FollowUp | None:
    event = decode(ReviewEvent, body)
    review = event.review
    is_request = event.action == "submitted" and review.state == "changes_requested"
    if not is_request or not _may_ask(review):
        return None
    prompt = (review.body or "").strip() or "Address the comments of the review."
    return _asked("review", event.pull_request.html_url, prompt, review.submitted_at, review.user)


def _of_check(body: bytes) -> FollowUp | None:
    event = decode(CheckRunEvent, body)
    check = event.check_run
    number = next(iter(event.own_pull_requests), None)
    if event.action != "completed" or check.conclusion not in FAILED or number is None:
        return None
    url = f"{event.repository.html_url}/pull/{number}"
    prompt = (
        f"The check {check.name!r} failed on commit {check.head_sha}. Find out why, and mend it."
    )
    return _asked("check", url, prompt, check.completed_at)


def _may_ask(text: GitHubText) -> bool:
    """False without a person, whom the runner could not check."""
    return text.user is not None and text.author_association in WRITERS


def _asked(
    kind: FollowUpKind, url: str, prompt: str, at: datetime | None, by: GitHubUser | None = None
) -> FollowUp:
    text = prompt.replace("\0", "").strip()[:PROMPT_CHARACTERS]
    return FollowUp(kind=kind, url=url, prompt=text, at=at, requested_by=by.login if by else None)


_READERS: Final[Mapping[str, Callable[[bytes], FollowUp | None]]] = {
    "issue_comment": _of_comment,
    "pull_request_review": _of_review,
    "check_run": _of_check,
}
