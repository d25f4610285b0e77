"""How a launch goes: the sandbox a launcher names, its start, its failure, and the next launch."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel.commands import FinishJob
from gateway.domain.launching.claim import revoked
from gateway.domain.launching.inspection import compare_snapshot
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import (
    Ended,
    Launched,
    LaunchReport,
    Retried,
    SandboxReported,
)
from gateway.domain.tasks.finish import destroy, end, hold_back
from gateway.domain.tasks.queue_clock import offer
from gateway.domain.tasks.run_clocks import begin, is_waiting
from gateway.domain.tasks.task import (
    Attempt,
    Sandbox,
    Status,
    TaskError,
)
from gateway.domain.tasks.task_change import TaskChange
from gateway.wire.launcher import LaunchError

Report = msgspec.Raw | msgspec.UnsetType
RELAUNCH_BACKOFF: Final = (5_000, 30_000)
"""Before the 2nd and the 3rd launch of an attempt (milliseconds); there is no 4th."""
PERMANENT: Final = frozenset({"provider_auth", "snapshot_not_found", "snapshot_inactive"})
"""A provider's 401 and 403, a snapshot it does not know or that is not active."""
PASSING: Final = frozenset({"provider_quota", "provider_unavailable"})
"""Quota, 429, busy, 5xx, network."""


def launched(draft: TaskChange, job: Job, attempt: Attempt, report: FinishJob) -> None:
    """The sandbox is up: the attempt runs, and is stopped at once if nobody wants it any more."""
    if report.sandbox is not None:
        attempt = note_sandbox(draft, attempt, report.sandbox)
    if attempt.number == draft.task.attempt and is_waiting(draft.task.status):
        draft.happen("task.launched", Launched(sandbox=attempt.sandbox), source="launcher")
        begin(draft)
        draft.change(claimable_at=None)
    if destroy_if_unwanted(draft, job):
        return
    if report.process is not None and report.process.state == "exited":
        draft.open_job("inspect", attempt, not_before=draft.now)


def note_sandbox(draft: TaskChange, attempt: Attempt, sandbox: Sandbox) -> Attempt:
    """`created` or `done` without `trying` is taken as both. What was destroyed does not come back
    with a report that was late; another sandbox under the name does."""
    is_new = attempt.sandbox is None or attempt.sandbox.id != sandbox.id
    if attempt.gone_at is not None and not is_new:
        return attempt
    is_told = attempt.sandbox == sandbox
    noted = replace(
        attempt,
        provider=sandbox.provider,
        realm=sandbox.realm,
        sandbox=sandbox,
        tried_at=attempt.tried_at or draft.now,
        gone_at=None,
    )
    draft.put_attempt(noted)
    if is_new:
        _forget_looks(draft, attempt)
    if not is_told:
        kind = "sandbox.created" if is_new else "sandbox.state"
        fact = SandboxReported(sandbox=sandbox)
        draft.happen(kind, fact, attempt=attempt.number, source="launcher")
    compare_snapshot(draft, attempt, sandbox)
    return noted


def launch_failed(
    draft: TaskChange, attempt: Attempt, error: TaskError, report: Report = msgspec.UNSET
) -> None:
    """Queued again with backoff, at most twice; a permanent error or a third one ends it. Once its
    agent has spoken the sandbox is asked: it may run on, or have gone meanwhile."""
    task = draft.task
    if attempt.number != task.attempt or task.status.is_terminal:
        _destroy_left_over(draft, attempt)
    elif task.cancel_requested_at is not None:
        end(draft, Status.CANCELLED, Ended())
    elif not is_waiting(task.status):
        if not attempt.is_gone:
            draft.open_job("inspect", attempt, not_before=draft.now)
    elif error.retryable and attempt.launches <= len(RELAUNCH_BACKOFF):
        _launch_again(draft, attempt, error, report)
    else:
        end(draft, Status.FAILED, Ended(error=error, report=report))


def launch_error(error: LaunchError, stage: str = "launch") -> TaskError:
    """What a launcher reported, as an error of the task; of the codes that are ours the rules say
    whether another launch may help, of the others the launcher."""
    is_retryable = error.code in PASSING or (error.retryable and error.code not in PERMANENT)
    return TaskError(stage=stage, code=error.code, message=error.message, retryable=is_retryable)


def launch_report(error: LaunchError) -> msgspec.Raw:
    """What stands beside the error in the history: where it failed, and how."""
    report = LaunchReport(
        provider=error.provider, exit_code=error.exit_code, stderr_tail=error.stderr_tail
    )
    return msgspec.Raw(msgspec.json.encode(report))


def destroy_if_unwanted(draft: TaskChange, job: Job) -> bool:
    """Whether nobody wants what the job made: then it goes, unless its agent may still stop."""
    task = draft.task
    attempt = draft.attempt_of(job.attempt or 0)
    over = task.status.is_terminal or task.attempt != job.attempt
    if attempt is None or not (over or task.cancel_requested_at is not None):
        return False
    if over or attempt.spoke_at is None:
        _destroy_left_over(draft, attempt)
    hold_back(draft)
    return True


def _forget_looks(draft: TaskChange, attempt: Attempt) -> None:
    """Who was asked to destroy it may have looked before it was there: somebody looks again."""
    job = draft.job("destroy", attempt.number)
    if job is not None and job.leased_by is not None:
        draft.put_job(revoked(job))


def _launch_again(draft: TaskChange, attempt: Attempt, error: TaskError, report: Report) -> None:
    launch = attempt.launches + 1
    again = Retried(attempt=attempt.number, launch=launch, error=error, report=report)
    draft.happen("task.retried", again)
    at = draft.now + RELAUNCH_BACKOFF[attempt.launches - 1]
    draft.change(launch_slow=None, launch_end=None)
    offer(draft, at, queue=attempt.queue_left or 0)
    draft.lower_flag("launch_slow")
    hold_back(draft)


def _destroy_left_over(draft: TaskChange, attempt: Attempt) -> None:
    if not attempt.is_gone:
        destroy(draft, attempt, at=draft.now)
