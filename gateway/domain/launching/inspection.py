"""What a look at a sandbox means: nothing, a second look, or the end of the attempt."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.commands import FinishJob
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import Ended, SandboxReported
from gateway.domain.tasks.finish import confirm_gone, end
from gateway.domain.tasks.task import (
    Attempt,
    Sandbox,
    Status,
    TaskError,
)
from gateway.domain.tasks.task_change import TaskChange

DESTROY_BACKOFF: Final = (5_000, 300_000)
"""An unconfirmed destroy is offered again for ever, from 5 s to 5 min apart (milliseconds)."""
_REASONS: Final = {
    "gone": "sandbox_gone",
    "destroyed": "sandbox_gone",
    "stopped": "sandbox_stopped",
    "error": "sandbox_error",
}


def judge_inspection(draft: TaskChange, job: Job, attempt: Attempt, seen: FinishJob) -> None:
    """Applies what a launcher saw; what the spool holds was applied before."""
    if seen.sandbox is not None:
        attempt = _note(draft, attempt, seen.sandbox)
    if attempt.number != draft.task.attempt or draft.task.status.is_terminal:
        return
    if seen.spooled:
        draft.open_job("inspect", attempt, not_before=draft.now)
        return
    error = _verdict(draft, job, attempt, seen)
    if error is not None:
        fail(draft, error)
    elif draft.task.clocks.run_end is not None:
        _judge_overrun(draft, job, attempt)
    elif attempt.exited_at is not None and job.not_before < attempt.exited_at:
        draft.open_job("inspect", attempt, not_before=draft.now)  # this look may have begun before


def judge_destroy(draft: TaskChange, job: Job, attempt: Attempt, seen: FinishJob) -> None:
    """Confirmed, or offered again."""
    state = seen.sandbox.state if seen.sandbox else "unknown"
    provable_at = _absence_provable_at(draft, attempt)
    # A look begins after `not_before`, however late it is reported.
    if state == "destroyed" or (state == "gone" and provable_at <= job.not_before):
        draft.put_job(replace(job, closed_at=draft.now))
        confirm_gone(draft, _identified(attempt, seen.sandbox))
        task = draft.task
        is_current = attempt.number == task.attempt and not task.status.is_terminal
        if is_current and task.cancel_requested_at is not None:
            end(draft, Status.CANCELLED, Ended())
        return
    again = offered_again(job, seen, draft.now)
    if state == "gone":
        again = replace(again, not_before=max(again.not_before, provable_at))
    draft.put_job(again)


def offered_again(job: Job, seen: FinishJob, now: int) -> Job:
    """An unconfirmed destroy; while its spool is still being read, without a pause."""
    first, longest = DESTROY_BACKOFF
    wait = 0 if seen.spooled else min(first * 2 ** min(job.offers, 16), longest)
    return replace(job, offers=job.offers + 1, not_before=now + wait)


def _judge_overrun(draft: TaskChange, job: Job, attempt: Attempt) -> None:
    """The hard clock is judged by a look that began after it ran out, not by one that was under
    way then."""
    ran_out_at = (draft.task.clocks.run_end or draft.now) - draft.policy.drain
    if job.not_before < ran_out_at:
        draft.open_job("inspect", attempt, not_before=draft.now)
    else:
        time_out(draft)


def compare_snapshot(draft: TaskChange, attempt: Attempt, sandbox: Sandbox) -> None:
    """Whether the sandbox came up from what was asked for; a provider that does not say is taken
    at its word."""
    wanted, found = draft.task.snapshot, sandbox.snapshot
    if attempt.number != draft.task.attempt or draft.task.status.is_terminal or not wanted:
        return
    if found not in {None, wanted}:
        draft.raise_flag("wrong_snapshot", f"it came up from {found}, not from {wanted}")
    else:
        draft.lower_flag("wrong_snapshot")


def time_out(draft: TaskChange) -> None:
    """The hard clock ran out, and the sandbox has been asked."""
    error = TaskError(
        stage=draft.task.stage or "agent",
        code="run_timeout",
        message=f"It ran longer than {draft.task.timeouts.run} s.",
        retryable=draft.task.on_stall == "retry",
    )
    end(draft, Status.TIMED_OUT, Ended(error=error))


def _verdict(draft: TaskChange, job: Job, attempt: Attempt, seen: FinishJob) -> TaskError | None:
    state = seen.sandbox.state if seen.sandbox else "unknown"
    detail = f": {seen.diagnosis}" if seen.diagnosis else ""
    if state == "gone":
        if not _is_second_look(draft, job, attempt):
            return None
        confirm_gone(draft, attempt, kind="sandbox.state", state="gone")
    elif attempt.missing_since is not None and state != "unknown":
        draft.put_attempt(replace(attempt, missing_since=None))
    if state in _REASONS:
        return _error(_REASONS[state], f"The sandbox is {state}{detail}")
    if seen.process is not None and seen.process.state == "exited":
        code = seen.process.exit_code
        how = "" if code is None else f" with exit code {code}"
        return _error("agent_exited", f"The agent exited{how} without a last word{detail}")
    return None


def _is_second_look(draft: TaskChange, job: Job, attempt: Attempt) -> bool:
    """`gone` needs two looks at least 15 s apart: lists and caches flap. A look begins after
    `not_before`, however late it is reported."""
    since = attempt.missing_since or draft.now
    later = max(since + draft.policy.gone_margin, _absence_provable_at(draft, attempt))
    if attempt.missing_since is not None and later <= job.not_before:
        return True
    missing = replace(attempt, missing_since=since)
    draft.put_attempt(missing)
    draft.open_job("inspect", missing, not_before=later)
    return False


def fail(draft: TaskChange, error: TaskError) -> None:
    """The attempt ended without a last word; with a pull request a person must look at it."""
    if draft.task.pr_url is not None:
        end(draft, Status.NEEDS_REVIEW, Ended(error=error, summary=error.message))
    else:
        end(draft, Status.FAILED, Ended(error=error))


def _note(draft: TaskChange, attempt: Attempt, sandbox: Sandbox) -> Attempt:
    known = attempt.sandbox
    is_going = known is not None and known.state == "destroying"
    if sandbox.state in {"unknown", "gone"} or sandbox == known or is_going:
        return attempt
    compare_snapshot(draft, attempt, sandbox)
    noted = replace(attempt, sandbox=sandbox)
    draft.put_attempt(noted)
    fact = SandboxReported(sandbox=sandbox)
    draft.happen("sandbox.state", fact, attempt=attempt.number, source="launcher")
    return noted


def _absence_provable_at(draft: TaskChange, attempt: Attempt) -> int:
    """A sandbox whose id is unknown may still be in the making until then (milliseconds)."""
    if attempt.create_before is None or (attempt.sandbox and attempt.sandbox.id):
        return 0
    return attempt.create_before + draft.policy.create_limit + draft.policy.gone_margin


def _identified(attempt: Attempt, seen: Sandbox | None) -> Attempt:
    """With the id of what was destroyed, should its launcher say only later that it is there."""
    if attempt.sandbox is None or seen is None or seen.state != "destroyed":
        return attempt
    return replace(attempt, sandbox=replace(attempt.sandbox, id=seen.id or attempt.sandbox.id))


def _error(code: str, message: str) -> TaskError:
    return TaskError(stage="sandbox", code=code, message=message, retryable=True)
