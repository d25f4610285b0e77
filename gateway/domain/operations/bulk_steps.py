"""Rules of bulk actions: start, the next page, abort.

The effect of a page and the progress of its action are one transaction: after a crash the page
either has had its effect, or will have it once.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from gateway.domain.kernel.commands import CancelTask, Cause, DestroySandboxes, RetryTask
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.bulk import (
    MOST_FAILURES,
    AbortBulk,
    AdvanceBulk,
    BrokenTask,
    BulkAction,
    BulkFailure,
    BulkReply,
    BulkVerb,
    StartBulk,
)
from gateway.domain.tasks.requests import cancel, destroy_sandboxes, retry

_ACTS: Final[dict[BulkVerb, tuple[type, Callable[[UnitOfWork, Any, int], object]]]] = {
    "cancel": (CancelTask, cancel),
    "retry": (RetryTask, retry),
    "destroy": (DestroySandboxes, destroy_sandboxes),
}


def start(unit: UnitOfWork, command: StartBulk, now: int) -> BulkReply:
    """Stores the action with its tasks; nothing happens to them yet."""
    first = unit.idempotency.first(command.idempotency)
    if isinstance(first, BulkReply):
        return replace(first, replayed=True)
    matched = len(command.task_ids)
    bulk = replace(
        command.bulk, actor=command.actor, matched=matched, created_at=now, updated_at=now
    )
    if not command.task_ids:
        bulk = replace(bulk, status="done", finished_at=now)
    unit.bulk_actions.start(bulk, command.task_ids)
    unit.audit.emit(
        "bulk.started",
        bulk.id,
        bulk.project,
        bulk_action=bulk.action,
        matched=matched,
        reason=bulk.reason,
    )
    reply = BulkReply(bulk=bulk)
    unit.idempotency.store(command.idempotency, reply, now)
    return reply


def advance(unit: UnitOfWork, command: AdvanceBulk, now: int) -> BulkReply:
    """Acts on the next page of a running action.

    Raises:
        BrokenTask: the page has to be tried again without this task.
    """
    bulk = unit.bulk_actions.get(command.bulk_id)
    if bulk is None:
        raise _unknown()
    page = unit.bulk_actions.pages.pop(bulk.id, ())
    if bulk.status != "running" or not page:
        return BulkReply(bulk=bulk)
    unit.audit.begin(bulk.actor, now, bulk.reason)
    refused = [
        BulkFailure(task_id=task_id, code=code)
        for task_id in page
        if (code := _refusal(unit, bulk, task_id, now, command.broken))
    ]
    moved = replace(
        bulk,
        done=bulk.done + len(page) - len(refused),
        failed=bulk.failed + len(refused),
        failed_tasks=(*bulk.failed_tasks, *refused)[:MOST_FAILURES],
        updated_at=now,
    )
    if moved.taken == moved.matched:
        moved = replace(moved, status="done", finished_at=now)
    return _put(unit, moved)


def abort(unit: UnitOfWork, command: AbortBulk, now: int) -> BulkReply:
    """Ends a running action; what it has done stays. Idempotent."""
    bulk = unit.bulk_actions.get(command.bulk_id)
    if bulk is None or command.project not in {None, bulk.project}:
        raise _unknown()
    if bulk.status == "done":
        raise ApiError("already_finished", "The bulk action is done.")
    if bulk.status == "aborted":
        return BulkReply(bulk=bulk)
    unit.audit.emit("bulk.aborted", bulk.id, bulk.project, done=bulk.done)
    return _put(unit, replace(bulk, status="aborted", updated_at=now, finished_at=now))


def _put(unit: UnitOfWork, bulk: BulkAction) -> BulkReply:
    unit.bulk_actions.put(bulk)
    return BulkReply(bulk=bulk)


def _refusal(
    unit: UnitOfWork, bulk: BulkAction, task_id: str, now: int, broken: frozenset[str]
) -> str | None:
    """Acts on one task; the code of the refusal, None for success."""
    if task_id in broken:
        return "internal"
    kind, act = _ACTS[bulk.action]
    cause = Cause(reason=bulk.reason, bulk_id=bulk.id)
    command = kind(task_id=task_id, project=bulk.project, cause=cause, actor=bulk.actor)
    try:
        act(unit, command, now)
    except ApiError as exc:
        return exc.code
    except Exception as exc:
        # The unit may be half changed: the ledger drops it.
        raise BrokenTask(task_id) from exc
    return None


def _unknown() -> ApiError:
    return ApiError("not_found", "There is no such bulk action.")
