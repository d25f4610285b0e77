"""How a launch goes: the sandbox a launcher names, its start, its failure, and the next launch."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel.commands import FinishJob
from gateway.domain.launching.claim import revoked
from gateway.domain.launching.inspection import compare_snapshot
from gateway.domain.launching.job import Job
from gateway.domain.tasks.event import Ended, Launched, LaunchReport, Retried, SandboxReported
from gateway.domain.tasks.finish import destroy, end, hold_back
from gateway.domain.tasks.queue_clock import offer
from gateway.domain.tasks.run_clocks import begin, is_waiting
from gateway.domain.tasks.task import Attempt, Sandbox, Status, TaskError
from gateway.domain.tasks.task_change import TaskChange
from gateway.wire.launcher import LaunchError

Report = msgspec.Raw | msgspec.UnsetType
RELAUNCH_BACKOFF: Final = (5_000, 30_000)
"""Before the 2nd and the 3rd launch of an attempt (milliseconds); there is no 4th."""
PERMANENT: Final = frozenset({"provider_auth", "snapshot_not_found", "snapshot_inactive"})
"""A provider's 401 and 403, a snapshot it does not know or that is not active."""
TRANSIENT: Final = frozenset({"provider_quota", "provider_unavailable"})
"""Quota, 429, busy, 5xx, network."""


def launched(change: TaskChange, job: Job, attempt: Attempt, report: FinishJob) -> None:
    """The sandbox is up: the attempt runs, and is stopped at once if nobody wants it any more."""
    if report.sandbox is not None:
        attempt = note_sandbox(change, attempt, report.sandbox)
    if attempt.number == change.task.attempt and is_waiting(change.task.status):
        change.emit("task.launched", Launched(sandbox=attempt.sandbox), source="launcher")
        begin(change)
        change.schedule(claimable_at=None)
    if destroy_if_unwanted(change, job):
        return
    if report.process is not None and report.process.state == "exited":
        change.open_job("inspect", attempt, not_before=change.now)


def note_sandbox(change: TaskChange, attempt: Attempt, sandbox: Sandbox) -> Attempt:
    """`created` or `done` without `trying` is taken as both. What was destroyed does not come back
    with a report that was late; another sandbox under the name does."""
    is_new = attempt.sandbox is None or attempt.sandbox.id != sandbox.id
    if attempt.gone_at is not None and not is_new:
        return attempt
    is_known = attempt.sandbox == sandbox
    noted = replace(
        attempt,
        provider=sandbox.provider,
        realm=sandbox.realm,
        sandbox=sandbox,
        tried_at=attempt.tried_at or change.now,
        gone_at=None,
    )
    change.put_attempt(noted)
    if is_new:
        _revoke_destroy(change, attempt)
    if not is_known:
        kind = "sandbox.created" if is_new else "sandbox.state"
        fact = SandboxReported(sandbox=sandbox)
        change.emit(kind, fact, attempt=attempt.number, source="launcher")
    compare_snapshot(change, attempt, sandbox)
    return noted


def launch_failed(
    change: TaskChange, attempt: Attempt, error: TaskError, report: Report = msgspec.UNSET
) -> None:
    """Queued again with backoff, at most twice; a permanent error or a third one ends it. Once its
    agent has spoken the sandbox is asked: it may run on, or have gone meanwhile."""
    task = change.task
    if attempt.number != task.attempt or task.status.is_terminal:
        _destroy_left_over(change, attempt)
    elif task.cancel_requested_at is not None:
        end(change, Status.CANCELLED, Ended())
    elif not is_waiting(task.status):
        if not attempt.is_gone:
            change.open_job("inspect", attempt, not_before=change.now)
    elif error.retryable and attempt.launches <= len(RELAUNCH_BACKOFF):
        _launch_again(change, attempt, error, report)
    else:
        end(change, Status.FAILED, Ended(error=error, report=report))


def launch_error(error: LaunchError, stage: str = "launch") -> TaskError:
    """What a launcher reported, as an error of the task; of the codes that are ours the rules say
    whether another launch may help, of the others the launcher."""
    is_retryable = error.code in TRANSIENT or (error.retryable and error.code not in PERMANENT)
    return TaskError(stage=stage, code=error.code, message=error.message, retryable=is_retryable)


def launch_report(error: LaunchError) -> msgspec.Raw:
    """What stands beside the error in the history: where it failed, and how."""
    report = LaunchReport(
        provider=error.provider, exit_code=error.exit_code, stderr_tail=error.stderr_tail
    )
    return msgspec.Raw(msgspec.json.encode(report))


def destroy_if_unwanted(change: TaskChange, job: Job) -> bool:
    """Whether nobody wants what the job made: then it goes, unless its agent may still stop."""
    task = change.task
    attempt = change.attempt_of(job.attempt or 0)
    over = task.status.is_terminal or task.attempt != job.attempt
    if attempt is None or not (over or task.cancel_requested_at is not None):
        return False
    if over or attempt.spoke_at is None:
        _destroy_left_over(change, attempt)
    hold_back(change)
    return True


def _revoke_destroy(change: TaskChange, attempt: Attempt) -> None:
    """Who was asked to destroy it may have looked before it was there: somebody looks again."""
    job = change.job("destroy", attempt.number)
    if job is not None and job.leased_by is not None:
        change.put_job(revoked(job))


def _launch_again(change: TaskChange, attempt: Attempt, error: TaskError, report: Report) -> None:
    launch = attempt.launches + 1
    again = Retried(attempt=attempt.number, launch=launch, error=error, report=report)
    change.emit("task.retried", again)
    at = change.now + RELAUNCH_BACKOFF[attempt.launches - 1]
    change.schedule(launch_slow=None, launch_end=None)
    offer(change, at, queue=attempt.queue_left or 0)
    change.lower_flag("launch_slow")
    hold_back(change)


def _destroy_left_over(change: TaskChange, attempt: Attempt) -> None:
    if not attempt.is_gone:
        destroy(change, attempt, at=change.now)
