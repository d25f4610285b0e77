"""The end of an attempt: its outcome, the clean-up of its sandbox, and the next attempt."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.tasks.event import Ended, Event, Retried, SandboxReported
from gateway.domain.tasks.queue_clock import offer
from gateway.domain.tasks.task import Attempt, Status, Task, TaskError
from gateway.domain.tasks.task_change import TaskChange

UNCONFIRMED_AFTER: Final = 120_000
"""A destroy that is not confirmed within this time (milliseconds) is flagged."""
KEEP_FOR: Final = 24 * 3_600_000
"""Lifetime of a kept sandbox after its attempt (milliseconds)."""
KEPT_OUTCOMES: Final = frozenset({Status.COMPLETED, Status.NEEDS_REVIEW})
"""Outcomes that a pending cancel does not change, if the agent itself reported them."""


def end(change: TaskChange, status: Status, fact: Ended, reported: Event | None = None) -> None:
    """end(X) of `lifecycle.md`: cancelled if a cancel is pending, another attempt if the error
    allows one, else X. `reported` is the agent's own final event, if there is one."""
    task = change.task
    is_done = reported is not None and status in KEPT_OUTCOMES
    if task.cancel_requested_at is not None and not is_done:
        status, fact = Status.CANCELLED, replace(fact, error=None)
    ended = task.attempt
    _close_attempt(change, status, fact)
    if _is_retried(task, status, fact.error):
        raw = msgspec.Raw(reported.data if reported else b"null")
        following = Retried(
            attempt=ended + 1,
            error=fact.error,
            report=fact.report,
            word=raw,
            warnings=fact.warnings,
        )
        _emit(change, "task.retried", following, reported)
        open_next(change)
        return
    _emit(change, f"task.{status}", fact, reported)
    change.stop_clocks()
    attempt = change.attempt
    if attempt is not None and not attempt.is_gone:
        destroy(change, attempt, at=change.now + KEEP_FOR if task.keep_sandbox else change.now)


def open_next(change: TaskChange, *, not_before: int | None = None) -> None:
    """Opens the next attempt, which waits until every older sandbox is gone and `not_before`
    (milliseconds) has come."""
    change.stop_clocks()
    change.put_attempt(opened(change))
    left = change.living()
    for attempt in left:
        destroy(change, attempt, at=change.now)
    offer(change, max(change.now, not_before or 0), queue=change.task.timeouts.queue * 1000)
    block_claim(change)


def block_claim(change: TaskChange) -> None:
    """Blocks the current attempt while the sandbox of an older one may be alive."""
    older = [attempt for attempt in change.living() if attempt.number < change.task.attempt]
    if older and change.task.status is Status.QUEUED:
        change.schedule(claimable_at=None, queue=None, no_launcher=None)
        change.lower_flag("no_launcher", "provider_down")
        number = older[0].number
        change.raise_flag("cleanup_pending", f"the sandbox of attempt {number} is being destroyed")


def destroy(change: TaskChange, attempt: Attempt, *, at: int, reason: str | None = None) -> None:
    """Opens a job that destroys the sandbox at this time (milliseconds) or later; `reason` is that
    of a person."""
    change.open_job("destroy", attempt, not_before=at)
    watched = change.task.clocks.cleanup or at + UNCONFIRMED_AFTER
    change.schedule(cleanup=min(watched, at + UNCONFIRMED_AFTER))
    sandbox = attempt.sandbox
    if sandbox is not None and sandbox.state != "destroying" and at <= change.now:
        going = replace(sandbox, state="destroying")
        change.put_attempt(replace(change.attempt_of(attempt.number) or attempt, sandbox=going))
        fact = SandboxReported(sandbox=going, reason=reason)
        source = "gateway" if reason is None else "api"
        change.emit("sandbox.state", fact, attempt=attempt.number, source=source)


def confirm_gone(
    change: TaskChange,
    attempt: Attempt,
    *,
    kind: str = "sandbox.destroyed",
    state: str = "destroyed",
    reason: str | None = None,
) -> None:
    """Records that no sandbox of this attempt can be alive, and releases what waited for that."""
    sandbox = attempt.sandbox and replace(attempt.sandbox, state=state)
    change.put_attempt(replace(attempt, gone_at=change.now, sandbox=sandbox))
    if sandbox is not None:
        source = "gateway" if reason is None else "api"
        fact = SandboxReported(sandbox=sandbox, reason=reason)
        change.emit(kind, fact, attempt=attempt.number, source=source)
    left = change.living()
    if all(other.provider_realm != attempt.provider_realm for other in left):
        change.lower_flag("realm_missing")
    if not any(change.job("destroy", other.number) for other in left):
        change.schedule(cleanup=None)
        change.lower_flag("sandbox_unconfirmed")
    is_last = all(other.number == change.task.attempt for other in left)
    if is_last and change.task.has_flag("cleanup_pending"):
        change.lower_flag("cleanup_pending")
        offer(change, change.now, queue=change.task.timeouts.queue * 1000)


def _emit(change: TaskChange, kind: str, fact: Ended | Retried, reported: Event | None) -> None:
    if reported is None:
        change.emit(kind, fact)
        return
    data = reported.data if isinstance(fact, Ended) else msgspec.json.encode(fact)
    change.record(replace(reported, type=kind, data=data, task_seq=change.task.seq + 1), fact)


def _is_retried(task: Task, status: Status, error: TaskError | None) -> bool:
    if error is None or not error.retryable or task.attempt >= task.max_attempts:
        return False
    return status is Status.FAILED or (status is Status.TIMED_OUT and task.on_stall == "retry")


def opened(change: TaskChange) -> Attempt:
    """A new row of the current attempt; the first attempt was opened with its task."""
    task = change.task
    return Attempt(
        task_id=task.id,
        number=task.attempt,
        key_id=change.policy.key_id,
        opened_at=task.created_at if task.attempt == 1 else change.now,
    )


def _close_attempt(change: TaskChange, status: Status, fact: Ended) -> None:
    attempt = change.attempt or opened(change)
    change.put_attempt(
        replace(
            attempt.with_final_patch() if fact.patch else attempt,
            ended_at=change.now,
            outcome=status.value,
            error=fact.error,
            usage=change.task.usage,
            resumable=fact.resumable,
        )
    )
    for job in (change.job("create", attempt.number), change.job("inspect", attempt.number)):
        if job is not None and not job.is_held(change.now):
            change.put_job(replace(job, closed_at=change.now))
