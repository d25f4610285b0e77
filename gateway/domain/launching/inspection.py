"""The results of inspect and destroy jobs: nothing, another job, or the end of the attempt."""

from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.commands import FinishJob
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import Ended, SandboxReported
from gateway.domain.tasks.finish import confirm_gone, end
from gateway.domain.tasks.task import Attempt, Sandbox, Status, TaskError
from gateway.domain.tasks.task_change import TaskChange

DESTROY_BACKOFF: Final = (5_000, 300_000)
"""First and longest pause before an unconfirmed destroy is offered again (milliseconds)."""
_REASONS: Final = {
    "gone": "sandbox_gone",
    "destroyed": "sandbox_gone",
    "stopped": "sandbox_stopped",
    "error": "sandbox_error",
}


def apply_inspection(change: TaskChange, job: Job, attempt: Attempt, seen: FinishJob) -> None:
    """Applies the report of an inspection; the events of the spool were applied before."""
    if seen.sandbox is not None:
        attempt = _note(change, attempt, seen.sandbox)
    if attempt.number != change.task.attempt or change.task.status.is_terminal:
        return
    if seen.spooled:
        change.open_job("inspect", attempt, not_before=change.now)
        return
    error = _sandbox_error(change, job, attempt, seen)
    if error is not None:
        fail(change, error)
    elif change.task.clocks.run_end is not None:
        _apply_overrun(change, job, attempt)
    elif attempt.exited_at is not None and job.not_before < attempt.exited_at:
        change.open_job(
            "inspect", attempt, not_before=change.now
        )  # this inspection may have begun before


def apply_destroy(change: TaskChange, job: Job, attempt: Attempt, seen: FinishJob) -> None:
    """Confirms the destroy, or offers it again."""
    state = seen.sandbox.state if seen.sandbox else "unknown"
    provable_at = _absence_provable_at(change, attempt)
    # An inspection begins after `not_before`, however late it is reported.
    if state == "destroyed" or (state == "gone" and provable_at <= job.not_before):
        change.put_job(replace(job, closed_at=change.now))
        confirm_gone(change, _identified(attempt, seen.sandbox))
        task = change.task
        is_current = attempt.number == task.attempt and not task.status.is_terminal
        if is_current and task.cancel_requested_at is not None:
            end(change, Status.CANCELLED, Ended())
        return
    again = offered_again(job, seen, change.now)
    if state == "gone":
        again = replace(again, not_before=max(again.not_before, provable_at))
    change.put_job(again)


def offered_again(job: Job, seen: FinishJob, now: int) -> Job:
    """The job of an unconfirmed destroy; without a pause while its spool is still being read."""
    first, longest = DESTROY_BACKOFF
    wait = 0 if seen.spooled else min(first * 2 ** min(job.offers, 16), longest)
    return replace(job, offers=job.offers + 1, not_before=now + wait)


def _apply_overrun(change: TaskChange, job: Job, attempt: Attempt) -> None:
    """Ends the attempt if the inspection began after the run clock expired; else inspects again."""
    ran_out_at = (change.task.clocks.run_end or change.now) - change.policy.drain
    if job.not_before < ran_out_at:
        change.open_job("inspect", attempt, not_before=change.now)
    else:
        time_out(change)


def compare_snapshot(change: TaskChange, attempt: Attempt, sandbox: Sandbox) -> None:
    """Flags a sandbox that runs another snapshot; a provider that names none is trusted."""
    wanted, found = change.task.snapshot, sandbox.snapshot
    if attempt.number != change.task.attempt or change.task.status.is_terminal or not wanted:
        return
    if found not in {None, wanted}:
        change.raise_flag("wrong_snapshot", f"it came up from {found}, not from {wanted}")
    else:
        change.lower_flag("wrong_snapshot")


def time_out(change: TaskChange) -> None:
    """The run clock has expired, and the sandbox was inspected."""
    error = TaskError(
        stage=change.task.stage or "agent",
        code="run_timeout",
        message=f"It ran longer than {change.task.timeouts.run} s.",
        retryable=change.task.on_stall == "retry",
    )
    end(change, Status.TIMED_OUT, Ended(error=error))


def _sandbox_error(
    change: TaskChange, job: Job, attempt: Attempt, seen: FinishJob
) -> TaskError | None:
    state = seen.sandbox.state if seen.sandbox else "unknown"
    detail = f": {seen.diagnosis}" if seen.diagnosis else ""
    if state == "gone":
        if not _is_second_absence(change, job, attempt):
            return None
        confirm_gone(change, attempt, kind="sandbox.state", state="gone")
    elif attempt.missing_since is not None and state != "unknown":
        change.put_attempt(replace(attempt, missing_since=None))
    if state in _REASONS:
        return _error(_REASONS[state], f"The sandbox is {state}{detail}")
    if seen.process is not None and seen.process.state == "exited":
        code = seen.process.exit_code
        how = "" if code is None else f" with exit code {code}"
        return _error("agent_exited", f"The agent exited{how} without a final event{detail}")
    return None


def _is_second_absence(change: TaskChange, job: Job, attempt: Attempt) -> bool:
    """True on the second absence: `gone` needs two inspections at least 15 s apart, because lists
    and caches flap. An inspection begins after `not_before`, however late it is reported."""
    since = attempt.missing_since or change.now
    later = max(since + change.policy.gone_margin, _absence_provable_at(change, attempt))
    if attempt.missing_since is not None and later <= job.not_before:
        return True
    missing = replace(attempt, missing_since=since)
    change.put_attempt(missing)
    change.open_job("inspect", missing, not_before=later)
    return False


def fail(change: TaskChange, error: TaskError) -> None:
    """Fails an attempt that ended without a final event; one with a pull request needs review."""
    if change.task.pr_url is not None:
        end(change, Status.NEEDS_REVIEW, Ended(error=error, summary=error.message))
    else:
        end(change, Status.FAILED, Ended(error=error))


def _note(change: TaskChange, attempt: Attempt, sandbox: Sandbox) -> Attempt:
    known = attempt.sandbox
    is_going = known is not None and known.state == "destroying"
    if sandbox.state in {"unknown", "gone"} or sandbox == known or is_going:
        return attempt
    compare_snapshot(change, attempt, sandbox)
    noted = replace(attempt, sandbox=sandbox)
    change.put_attempt(noted)
    fact = SandboxReported(sandbox=sandbox)
    change.emit("sandbox.state", fact, attempt=attempt.number, source="launcher")
    return noted


def _absence_provable_at(change: TaskChange, attempt: Attempt) -> int:
    """Time until which a sandbox without a known id may still be created (milliseconds)."""
    if attempt.create_before is None or (attempt.sandbox and attempt.sandbox.id):
        return 0
    return attempt.create_before + change.policy.create_limit + change.policy.gone_margin


def _identified(attempt: Attempt, seen: Sandbox | None) -> Attempt:
    """The attempt with the id of the destroyed sandbox, by which a late report is recognised."""
    if attempt.sandbox is None or seen is None or seen.state != "destroyed":
        return attempt
    return replace(attempt, sandbox=replace(attempt.sandbox, id=seen.id or attempt.sandbox.id))


def _error(code: str, message: str) -> TaskError:
    return TaskError(stage="sandbox", code=code, message=message, retryable=True)
