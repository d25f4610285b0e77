"""Events of agents: applied once if their attempt is current, else refused but stored."""

import hmac
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.agents.patch import MAX_PATCH, MAX_STORED, MIB, ROW_BYTES, PatchPiece
from gateway.domain.kernel.answers import Accepted, AgentEventReply
from gateway.domain.kernel.commands import ReportAgentEvent, RescuePatch
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.reports import held, job_and_attempt
from gateway.domain.tasks.event import Ended, Event
from gateway.domain.tasks.finish import end
from gateway.domain.tasks.run_clocks import record_activity, start_clocks
from gateway.domain.tasks.task import Attempt, KeptPatch, Status, TaskError
from gateway.domain.tasks.task_change import TaskChange

TERMINAL_EVENTS: Final = {
    "task.completed": Status.COMPLETED,
    "task.needs_review": Status.NEEDS_REVIEW,
    "task.failed": Status.FAILED,
}
MAX_REFUSED: Final = 100
MAX_REFUSED_BYTES: Final = 64 * 1024
"""Limits of an attempt's stored late events; the others are only counted."""


def handle_agent_event(unit: UnitOfWork, command: ReportAgentEvent, now: int) -> AgentEventReply:
    """Applies one authentic webhook; the order of checks is that of `interfaces.md` §3."""
    task = unit.tasks.get(command.task_id)
    attempt = unit.attempts.get((command.task_id, command.attempt))
    if task is None or attempt is None:
        raise ApiError("unknown_task", "There is no such task and attempt.")
    if attempt.key_id != command.key_id:
        raise ApiError("invalid_signature", "The signature does not match.")
    change = TaskChange(unit, task, now)
    if _is_duplicate(unit, command):
        return _answer_duplicate(change, command)
    if command.refusal is not None:
        raise command.refusal
    late = _lateness(change, attempt)
    if late is not None:
        _record_late(change, attempt, command, late)
        raise late
    _apply(change, attempt, command)
    change.save()
    return _reply(change, command, applied=True)


def _is_duplicate(unit: UnitOfWork, command: ReportAgentEvent) -> bool:
    if command.webhook_id is None:
        return False
    before = unit.events.seen.get((command.task_id, command.attempt, command.webhook_id))
    if before is None:
        return False
    if not hmac.compare_digest(before, command.body_hash):
        raise ApiError(
            "webhook_id_reused",
            "This webhook-id came before with another body.",
            hint="Use a new webhook-id for each event, and the same one only to send it again.",
        )
    return True


def _answer_duplicate(change: TaskChange, command: ReportAgentEvent) -> AgentEventReply:
    """Answers a repeated event like the first one; a direct one clears the flag `unreachable`."""
    is_current = _is_current(change, command)
    if is_current and not command.spooled and change.task.has_flag("unreachable"):
        change.lower_flag("unreachable")
        change.save()
    return _reply(change, command, applied=is_current, duplicate=True)


def _lateness(change: TaskChange, attempt: Attempt) -> ApiError | None:
    """The refusal of events of an attempt that is over; None: they are applied."""
    if attempt.number < change.task.attempt:
        return ApiError(
            "stale_attempt",
            f"Attempt {change.task.attempt} has begun.",
            hint="Stop: nothing of this attempt is wanted any more.",
        )
    if change.task.status.is_terminal:
        return ApiError(
            "attempt_finished",
            f"The task has ended: {change.task.status}.",
            hint="Stop: nothing of this attempt is wanted any more.",
        )
    return None


def _record_late(
    change: TaskChange, attempt: Attempt, command: ReportAgentEvent, late: ApiError
) -> None:
    event = replace(_event(change, command), applied=False, reason=late.code)
    fact = event.fact
    if change.task.purged_at is not None:
        change.put_attempt(replace(attempt, refused=attempt.refused + 1))
    elif command.piece is not None:
        if _fits_limit(attempt, event, command.piece):
            _save_piece(change, attempt, event, command.piece)
    elif isinstance(fact, Ended) and fact.patch and not attempt.has_final_patch:
        change.put_attempt(attempt.with_final_patch())
        change.record(event, fact)
    else:
        change.put_attempt(replace(attempt, refused=attempt.refused + 1))
        if attempt.refused < MAX_REFUSED and len(command.data) <= MAX_REFUSED_BYTES:
            change.record(event, fact)
    change.save()


def _apply(change: TaskChange, attempt: Attempt, command: ReportAgentEvent) -> None:
    first_event_at = attempt.first_event_at or change.now
    if attempt.first_event_at is None or attempt.missing_since is not None:
        attempt = replace(attempt, first_event_at=first_event_at, missing_since=None)
        change.put_attempt(attempt)
    event = _event(change, command)
    waiting = change.task.status.is_waiting
    status = TERMINAL_EVENTS.get(command.type)
    if status is not None:
        _finish(change, status, event)
        return
    if command.piece is not None:
        _save_piece(change, attempt, event, command.piece)
    else:
        change.record(event, event.fact)
    if waiting:
        start_clocks(change)
    record_activity(change, command.type, spooled=command.spooled)


def _finish(change: TaskChange, status: Status, event: Event) -> None:
    fact = event.fact
    if not isinstance(fact, Ended):
        raise TypeError(f"{event.type} is no final event")
    if status is Status.FAILED and fact.error is None:
        unknown = TaskError(stage="agent", code="agent_failed", message="no reason was given")
        fact = replace(fact, error=unknown)
        fields = msgspec.json.decode(event.data, type=dict[str, msgspec.Raw])
        fields["error"] = msgspec.Raw(msgspec.json.encode(unknown))
        event = replace(event, data=msgspec.json.encode(fields))
    end(change, status, fact, event)


def _event(change: TaskChange, command: ReportAgentEvent) -> Event:
    return change.event(
        command.type,
        command.data,
        source="agent",
        attempt=command.attempt,
        webhook_id=command.webhook_id,
        body_hash=command.body_hash,
    )


def _reply(
    change: TaskChange, command: ReportAgentEvent, *, applied: bool, duplicate: bool = False
) -> AgentEventReply:
    task = change.task
    is_current = _is_current(change, command)
    deadline = task.clocks.next()
    return AgentEventReply(
        applied=applied,
        duplicate=duplicate,
        cancel=not is_current or task.cancel_requested_at is not None,
        deadline_at=deadline[0] if is_current and deadline else None,
    )


def _is_current(change: TaskChange, command: ReportAgentEvent) -> bool:
    return command.attempt == change.task.attempt and not change.task.status.is_terminal


def _fits_limit(attempt: Attempt, event: Event, piece: PatchPiece) -> bool:
    """True if the attempt may store this piece too."""
    kept = attempt.patch or KeptPatch()
    return not piece.is_too_far and kept.stored + _taken(event, piece) <= MAX_STORED


def _save_piece(change: TaskChange, attempt: Attempt, event: Event, piece: PatchPiece) -> None:
    """Records the event and stores its text. Raises `patch_too_large`."""
    if not _fits_limit(attempt, event, piece):
        raise ApiError(
            "patch_too_large",
            f"A patch has at most {MAX_PATCH // MIB} MiB, and all pieces of an attempt take at "
            f"most {MAX_STORED // MIB} MiB as stored.",
            hint="Leave out what is too big, and name it in `warnings`.",
        )
    kept = attempt.patch or KeptPatch()
    stored = replace(kept, stored=kept.stored + _taken(event, piece))
    change.put_attempt(replace(attempt, patch=stored))
    change.record(event, event.fact)
    change.attach(event, piece)


def _taken(event: Event, piece: PatchPiece) -> int:
    return len(piece.chunk) + len(event.data) + ROW_BYTES


def rescue(unit: UnitOfWork, command: RescuePatch, now: int) -> Accepted:
    """Stores a piece of a patch that a launcher found, once; also after the task's end."""
    held(unit, command, now)
    _, change, attempt = job_and_attempt(unit, command, now)
    if (command.task_id, command.attempt, command.name) in unit.events.seen:
        return Accepted()
    event = change.event(
        "task.patch",
        command.data,
        source="launcher",
        attempt=attempt.number,
        webhook_id=command.name,
        body_hash=command.body_hash,
    )
    late = _lateness(change, attempt)
    if late is not None:
        event = replace(event, applied=False, reason=late.code)
    _save_piece(change, attempt, event, command.piece)
    change.save()
    return Accepted()
