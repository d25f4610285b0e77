"""What an agent says: heard once, applied if its attempt is current, refused but kept if not."""

import hmac

import msgspec
from msgspec.structs import replace

from gateway.domain.agents.patch_pieces import has_room, keep_piece
from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.commands import ReportAgentEvent
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Ended, Event
from gateway.domain.tasks.finish import end
from gateway.domain.tasks.run_clocks import begin, heard, is_waiting
from gateway.domain.tasks.task import Attempt, Status, TaskError
from gateway.domain.tasks.task_change import TaskChange

TERMINAL_WORDS = {
    "task.completed": Status.COMPLETED,
    "task.needs_review": Status.NEEDS_REVIEW,
    "task.failed": Status.FAILED,
}
MAX_REFUSED = 100
MAX_REFUSED_BYTES = 64 * 1024
"""So many late words of an attempt are kept, each up to this size; the rest is only counted."""


def hear(view: UnitOfWork, command: ReportAgentEvent, now: int) -> AgentEventReply:
    """Takes one authentic webhook, in the order of checks of `interfaces.md` §3."""
    task = view.tasks.get(command.task_id)
    attempt = view.attempts.get((command.task_id, command.attempt))
    if task is None or attempt is None:
        raise ApiError("unknown_task", "There is no such task and attempt.")
    if attempt.key_id != command.key_id:
        raise ApiError("invalid_signature", "The signature does not match.")
    draft = TaskChange(view, task, now)
    if _is_duplicate(view, command):
        return _hear_again(draft, command)
    if command.refusal is not None:
        raise command.refusal
    late = lateness(draft, attempt)
    if late is not None:
        _remember_late(draft, attempt, command, late)
        raise late
    _apply(draft, attempt, command)
    draft.keep()
    return _reply(draft, command, applied=True)


def _is_duplicate(view: UnitOfWork, command: ReportAgentEvent) -> bool:
    if command.webhook_id is None:
        return False
    before = view.heard.get((command.task_id, command.attempt, command.webhook_id))
    if before is None:
        return False
    if not hmac.compare_digest(before, command.body_hash):
        raise ApiError(
            "webhook_id_reused",
            "This webhook-id came before with another body.",
            hint="Use a new webhook-id for each event, and the same one only to send it again.",
        )
    return True


def _hear_again(draft: TaskChange, command: ReportAgentEvent) -> AgentEventReply:
    """An agent whose answer was lost asks again, and must not take our memory for a no; that it
    reached us itself is news, if its words were read from its spool until now."""
    is_current = _is_current(draft, command)
    if is_current and not command.spooled and draft.task.has_flag("unreachable"):
        draft.lower_flag("unreachable")
        draft.keep()
    return _reply(draft, command, applied=is_current, duplicate=True)


def lateness(draft: TaskChange, attempt: Attempt) -> ApiError | None:
    """Why nothing of this attempt is applied any more, if that is so."""
    if attempt.number < draft.task.attempt:
        return ApiError(
            "stale_attempt",
            f"Attempt {draft.task.attempt} has begun.",
            hint="Stop: nothing of this attempt is wanted any more.",
        )
    if draft.task.status.is_terminal:
        return ApiError(
            "attempt_finished",
            f"The task has ended: {draft.task.status}.",
            hint="Stop: nothing of this attempt is wanted any more.",
        )
    return None


def _remember_late(
    draft: TaskChange, attempt: Attempt, command: ReportAgentEvent, late: ApiError
) -> None:
    word = replace(_event(draft, command), applied=False, reason=late.code)
    if command.piece is not None:
        if has_room(attempt, word, command.piece):
            keep_piece(draft, attempt, word, command.piece)
    elif _brings_patch(word) and not attempt.has_final_patch:
        draft.put_attempt(attempt.with_final_patch())
        draft.record(word, word.fact)
    else:
        draft.put_attempt(replace(attempt, refused=attempt.refused + 1))
        if attempt.refused < MAX_REFUSED and len(command.data) <= MAX_REFUSED_BYTES:
            draft.record(word, word.fact)
    draft.keep()


def _brings_patch(word: Event) -> bool:
    fact = word.fact
    return isinstance(fact, Ended) and bool(fact.patch)


def _apply(draft: TaskChange, attempt: Attempt, command: ReportAgentEvent) -> None:
    spoke_at = attempt.spoke_at or draft.now
    if attempt.spoke_at is None or attempt.missing_since is not None:
        attempt = replace(attempt, spoke_at=spoke_at, missing_since=None)
        draft.put_attempt(attempt)
    event = _event(draft, command)
    waiting = is_waiting(draft.task.status)
    status = TERMINAL_WORDS.get(command.type)
    if status is not None:
        _finish(draft, status, event)
        return
    if command.piece is not None:
        keep_piece(draft, attempt, event, command.piece)
    else:
        draft.record(event, event.fact)
    if waiting:
        begin(draft)
    heard(draft, command.type, spooled=command.spooled)


def _finish(draft: TaskChange, status: Status, event: Event) -> None:
    fact = event.fact
    if not isinstance(fact, Ended):
        raise TypeError(f"{event.type} is no last word")
    if status is Status.FAILED and fact.error is None:
        unknown = TaskError(stage="agent", code="agent_failed", message="no reason was given")
        fact = replace(fact, error=unknown)
        fields = msgspec.json.decode(event.data, type=dict[str, msgspec.Raw])
        fields["error"] = msgspec.Raw(msgspec.json.encode(unknown))
        event = replace(event, data=msgspec.json.encode(fields))
    end(draft, status, fact, event)


def _event(draft: TaskChange, command: ReportAgentEvent) -> Event:
    return Event(
        task_id=command.task_id,
        task_seq=draft.task.seq + 1,
        attempt=command.attempt,
        type=command.type,
        at=draft.now,
        source="agent",
        data=command.data,
        webhook_id=command.webhook_id,
        body_hash=command.body_hash,
    )


def _reply(
    draft: TaskChange, command: ReportAgentEvent, *, applied: bool, duplicate: bool = False
) -> AgentEventReply:
    task = draft.task
    is_current = _is_current(draft, command)
    deadline = task.clocks.next()
    return AgentEventReply(
        applied=applied,
        duplicate=duplicate,
        cancel=not is_current or task.cancel_requested_at is not None,
        deadline_at=deadline[0] if is_current and deadline else None,
    )


def _is_current(draft: TaskChange, command: ReportAgentEvent) -> bool:
    """Whether the attempt still counts; all that was heard of such a one was applied."""
    return command.attempt == draft.task.attempt and not draft.task.status.is_terminal
