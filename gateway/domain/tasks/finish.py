"""How an attempt ends: the outcome, its sandbox's clean-up, and whether another attempt follows."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.tasks.event import (
    Ended,
    Event,
    Retried,
    SandboxReported,
)
from gateway.domain.tasks.queue_clock import offer
from gateway.domain.tasks.task import (
    Attempt,
    Status,
    Task,
    TaskError,
)
from gateway.domain.tasks.task_change import TaskChange

UNCONFIRMED_AFTER: Final = 120_000
"""A destroy that is not confirmed within so many milliseconds is flagged."""
KEEP: Final = 24 * 3_600_000
"""How long a kept sandbox may outlive its attempt (milliseconds)."""
DONE_IS_DONE: Final = frozenset({Status.COMPLETED, Status.NEEDS_REVIEW})
"""Outcomes that a pending cancel does not change, if the agent itself reported them."""


def end(draft: TaskChange, status: Status, fact: Ended, word: Event | None = None) -> None:
    """end(X) of `lifecycle.md`: cancelled if a cancel is pending, another attempt if the error
    allows one, else X. `word` is the agent's own event, if it spoke."""
    task = draft.task
    is_done = word is not None and status in DONE_IS_DONE
    if task.cancel_requested_at is not None and not is_done:
        status, fact = Status.CANCELLED, replace(fact, error=None)
    ended = task.attempt
    _close_attempt(draft, status, fact)
    if _is_retried(task, status, fact.error):
        raw = msgspec.Raw(word.data) if word else msgspec.Raw(b"null")
        following = Retried(
            attempt=ended + 1,
            error=fact.error,
            report=fact.report,
            word=raw,
            warnings=fact.warnings,
        )
        _say(draft, "task.retried", following, word)
        open_next(draft)
        return
    _say(draft, f"task.{status}", fact, word)
    draft.stop_clocks()
    attempt = draft.attempt
    if attempt is not None and not attempt.is_gone:
        destroy(draft, attempt, at=draft.now + KEEP if task.keep_sandbox else draft.now)


def open_next(draft: TaskChange, *, not_before: int | None = None) -> None:
    """The next attempt exists at once, but waits until every older sandbox is gone, and for
    `not_before` (milliseconds)."""
    draft.stop_clocks()
    draft.put_attempt(opened(draft))
    left = draft.living()
    for attempt in left:
        destroy(draft, attempt, at=draft.now)
    offer(draft, max(draft.now, not_before or 0), queue=draft.task.timeouts.queue * 1000)
    hold_back(draft)


def hold_back(draft: TaskChange) -> None:
    """Nobody may claim the current attempt while the sandbox of an older one may be alive."""
    older = [attempt for attempt in draft.living() if attempt.number < draft.task.attempt]
    if older and draft.task.status is Status.QUEUED:
        draft.change(claimable_at=None, queue=None, no_launcher=None)
        draft.lower_flag("no_launcher")
        number = older[0].number
        draft.raise_flag("cleanup_pending", f"the sandbox of attempt {number} is being destroyed")


def destroy(draft: TaskChange, attempt: Attempt, *, at: int) -> None:
    """Asks the sandbox's realm to destroy it, from that moment on."""
    draft.open_job("destroy", attempt, not_before=at)
    watched = draft.task.clocks.cleanup or at + UNCONFIRMED_AFTER
    draft.change(cleanup=min(watched, at + UNCONFIRMED_AFTER))
    sandbox = attempt.sandbox
    if sandbox is not None and sandbox.state != "destroying" and at <= draft.now:
        going = replace(sandbox, state="destroying")
        draft.put_attempt(replace(draft.attempt_of(attempt.number) or attempt, sandbox=going))
        draft.happen("sandbox.state", SandboxReported(sandbox=going), attempt=attempt.number)


def confirm_gone(
    draft: TaskChange,
    attempt: Attempt,
    *,
    kind: str = "sandbox.destroyed",
    state: str = "destroyed",
    reason: str | None = None,
) -> None:
    """No sandbox of this attempt can be alive any more: whatever waited for that goes on."""
    sandbox = attempt.sandbox and replace(attempt.sandbox, state=state)
    draft.put_attempt(replace(attempt, gone_at=draft.now, sandbox=sandbox))
    if sandbox is not None:
        source = "gateway" if reason is None else "api"
        fact = SandboxReported(sandbox=sandbox, reason=reason)
        draft.happen(kind, fact, attempt=attempt.number, source=source)
    left = draft.living()
    if all(other.place != attempt.place for other in left):
        draft.lower_flag("realm_missing")
    if not any(draft.job("destroy", other.number) for other in left):
        draft.change(cleanup=None)
        draft.lower_flag("sandbox_unconfirmed")
    is_last = all(other.number == draft.task.attempt for other in left)
    if is_last and draft.task.has_flag("cleanup_pending"):
        draft.lower_flag("cleanup_pending")
        offer(draft, draft.now, queue=draft.task.timeouts.queue * 1000)


def _say(draft: TaskChange, kind: str, fact: Ended | Retried, word: Event | None) -> None:
    if word is None:
        draft.happen(kind, fact)
        return
    data = word.data if isinstance(fact, Ended) else msgspec.json.encode(fact)
    draft.record(replace(word, type=kind, data=data, task_seq=draft.task.seq + 1), fact)


def _is_retried(task: Task, status: Status, error: TaskError | None) -> bool:
    if error is None or not error.retryable or task.attempt >= task.max_attempts:
        return False
    return status is Status.FAILED or (status is Status.TIMED_OUT and task.on_stall == "retry")


def opened(draft: TaskChange) -> Attempt:
    """The current attempt as it began: the first one with its task, another one now."""
    task = draft.task
    return Attempt(
        task_id=task.id,
        number=task.attempt,
        key_id=draft.policy.key_id,
        opened_at=task.created_at if task.attempt == 1 else draft.now,
    )


def _close_attempt(draft: TaskChange, status: Status, fact: Ended) -> None:
    attempt = draft.attempt or opened(draft)
    draft.put_attempt(
        replace(
            attempt.with_final_patch() if fact.patch else attempt,
            ended_at=draft.now,
            outcome=status.value,
            error=fact.error,
            usage=draft.task.usage,
            resumable=fact.resumable,
        )
    )
    for job in (draft.job("create", attempt.number), draft.job("inspect", attempt.number)):
        if job is not None and not job.is_held(draft.now):
            draft.put_job(replace(job, closed_at=draft.now))
