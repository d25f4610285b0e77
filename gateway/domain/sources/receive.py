"""Rules for messages: inspects a changed sandbox, records the end of a pull request."""

import hmac
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.sources.message import (
    Message,
    NoticeReply,
    PullRequestNotice,
    Reason,
    SandboxNotice,
    Seen,
)
from gateway.domain.tasks.event import PullRequestClosed
from gateway.domain.tasks.task import Attempt, Status
from gateway.domain.tasks.task_change import TaskChange

HEALTHY: Final = frozenset(
    {
        "creating",
        "pending_build",
        "building_snapshot",
        "pulling_snapshot",
        "restoring",
        "starting",
        "started",
    }
)
"""States in which an agent runs or soon will; any other state leads to an inspection."""


def sandbox_changed(unit: UnitOfWork, command: SandboxNotice, now: int) -> NoticeReply:
    """Opens a job that inspects the sandbox; the message alone proves nothing, because it may be
    old or out of order."""
    if is_duplicate(unit, command.message):
        return NoticeReply(applied=True, duplicate=True)
    found = unit.messages.sandboxes.get(command.sandbox_id, ())
    asked = [_ask(unit, unit.attempts[key], command.state, now) for key in found]
    reason: Reason | None = None
    if not any(asked):
        reason = "nothing_to_do" if found else "unknown_sandbox"
    return answer_message(unit, command.message, reason, now)


def pull_request_closed(unit: UnitOfWork, command: PullRequestNotice, now: int) -> NoticeReply:
    """Records the end of a pull request, in terminal states too; the state stays."""
    if is_duplicate(unit, command.message):
        return NoticeReply(applied=True, duplicate=True)
    found = unit.messages.pull_requests.get(command.url, ())
    fact = PullRequestClosed(
        pr_url=command.url, merge_commit_sha=command.merge_commit_sha, by=command.by
    )
    for task_id in found:
        change = TaskChange(unit, unit.tasks[task_id], now)
        kind = "task.pr_merged" if command.is_merged else "task.pr_closed"
        change.emit(kind, fact, source="github")
        change.save()
    return answer_message(unit, command.message, None if found else "unknown_pull_request", now)


def _ask(unit: UnitOfWork, attempt: Attempt, state: str, now: int) -> bool:
    """Opens or hastens a job, if the state calls for one; True if it did."""
    task = unit.tasks[attempt.task_id]
    change = TaskChange(unit, task, now)
    if attempt.is_gone or state in HEALTHY:
        return False
    if change.job("destroy", attempt.number) is not None:
        if state != "destroyed":
            return False
        change.open_job("destroy", attempt, not_before=now)
    elif task.status is Status.RUNNING and attempt.number == task.attempt:
        change.open_job("inspect", attempt, not_before=now)
    else:
        return False  # during a launch its launcher reports
    change.save()
    return True


def is_duplicate(unit: UnitOfWork, message: Message) -> bool:
    """True if an earlier copy had an effect. Raises `webhook_id_reused`."""
    before = unit.messages.get((message.source, message.id))
    if before is not None and not hmac.compare_digest(before.message.body_hash, message.body_hash):
        raise ApiError("webhook_id_reused", "A message with this id came before with another body.")
    is_known = before is not None and before.applied
    return is_known or (message.source, message.body_hash) in unit.messages.applied


def answer_message(
    unit: UnitOfWork, message: Message, reason: Reason | None, now: int
) -> NoticeReply:
    unit.messages.put(Seen(message=message, applied=reason is None, at=now))
    return NoticeReply(applied=reason is None, reason=reason)
