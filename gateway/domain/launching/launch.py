"""The launch of an attempt: its sandbox, its start, its failure, and the next launch."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel.commands import FinishJob
from gateway.domain.launching.claim import revoked
from gateway.domain.launching.inspection import compare_snapshot
from gateway.domain.launching.job import Job
from gateway.domain.launching.provider_health import note_success
from gateway.domain.tasks.event import Ended, Launched, LaunchReport, Retried, SandboxReported
from gateway.domain.tasks.finish import block_claim, destroy, end
from gateway.domain.tasks.queue_clock import offer
from gateway.domain.tasks.run_clocks import start_clocks
from gateway.domain.tasks.task import Attempt, Sandbox, Status, TaskError
from gateway.domain.tasks.task_change import TaskChange
from gateway.wire.launcher import LaunchError

Report = msgspec.Raw | msgspec.UnsetType
RELAUNCH_BACKOFF: Final = (5_000, 30_000)
"""Pauses before the 2nd and the 3rd launch of an attempt (milliseconds); there is no 4th."""
PERMANENT: Final = frozenset({"provider_auth", "snapshot_not_found", "snapshot_inactive"})
"""Error codes that no further launch can mend."""
TRANSIENT: Final = frozenset({"provider_quota", "provider_unavailable"})
"""Error codes of quota, 429, busy, 5xx and network."""


def launched(change: TaskChange, job: Job, attempt: Attempt, report: FinishJob) -> None:
    """The sandbox has started: the attempt runs, or is stopped if it is no longer wanted."""
    if report.sandbox is not None:
        attempt = record_sandbox(change, attempt, report.sandbox)
        note_success(change.unit, job, report.sandbox.provider, change.now)
    if attempt.number == change.task.attempt and change.task.status.is_waiting:
        change.emit("task.launched", Launched(sandbox=attempt.sandbox), source="launcher")
        start_clocks(change)
        change.schedule(claimable_at=None)
    if destroy_if_unwanted(change, job):
        return
    if report.process is not None and report.process.state == "exited":
        change.open_job("inspect", attempt, not_before=change.now)


def record_sandbox(change: TaskChange, attempt: Attempt, sandbox: Sandbox) -> Attempt:
    """Records a reported sandbox. `created` or `done` implies `trying`. A late report does not
    revive a destroyed sandbox, but another sandbox under the name counts."""
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
    change: TaskChange,
    attempt: Attempt,
    error: TaskError,
    report: Report = msgspec.UNSET,
    *,
    is_provider_paused: bool = False,
) -> None:
    """Queues the attempt again with backoff, at most twice; a permanent or third error ends it.
    After an event of the agent, the sandbox is inspected instead: it may run or be gone. While its
    provider is paused for that error the launch is not counted: the task waits."""
    task = change.task
    if attempt.number != task.attempt or task.status.is_terminal:
        _destroy_left_over(change, attempt)
    elif task.cancel_requested_at is not None:
        end(change, Status.CANCELLED, Ended())
    elif not task.status.is_waiting:
        if not attempt.is_gone:
            change.open_job("inspect", attempt, not_before=change.now)
    elif is_provider_paused:
        attempt = replace(attempt, launches=attempt.launches - 1)
        change.put_attempt(attempt)
        _launch_again(change, attempt, error, report, at=change.now)
    elif error.retryable and attempt.launches <= len(RELAUNCH_BACKOFF):
        at = change.now + RELAUNCH_BACKOFF[attempt.launches - 1]
        _launch_again(change, attempt, error, report, at=at)
    else:
        end(change, Status.FAILED, Ended(error=error, report=report))


def launch_error(error: LaunchError, stage: str = "launch") -> TaskError:
    """A reported error as the task's; the launcher decides only for unknown codes if it is
    retryable."""
    is_retryable = error.code in TRANSIENT or (error.retryable and error.code not in PERMANENT)
    return TaskError(stage=stage, code=error.code, message=error.message, retryable=is_retryable)


def launch_report(error: LaunchError) -> msgspec.Raw:
    """The diagnosis that the event stores beside the error."""
    report = LaunchReport(
        provider=error.provider, exit_code=error.exit_code, stderr_tail=error.stderr_tail
    )
    return msgspec.Raw(msgspec.json.encode(report))


def destroy_if_unwanted(change: TaskChange, job: Job) -> bool:
    """Destroys an unwanted sandbox, unless its agent may still stop; True if it is unwanted."""
    task = change.task
    attempt = change.attempt_of(job.attempt or 0)
    over = task.status.is_terminal or task.attempt != job.attempt
    if attempt is None or not (over or task.cancel_requested_at is not None):
        return False
    if over or attempt.first_event_at is None:
        _destroy_left_over(change, attempt)
    block_claim(change)
    return True


def _revoke_destroy(change: TaskChange, attempt: Attempt) -> None:
    """Revokes a held destroy job: its launcher may have looked before the sandbox existed."""
    job = change.job("destroy", attempt.number)
    if job is not None and job.leased_by is not None:
        change.put_job(revoked(job))


def _launch_again(
    change: TaskChange, attempt: Attempt, error: TaskError, report: Report, *, at: int
) -> None:
    launch = attempt.launches + 1
    again = Retried(attempt=attempt.number, launch=launch, error=error, report=report)
    change.emit("task.retried", again)
    change.schedule(launch_slow=None, launch_end=None)
    offer(change, at, queue=attempt.queue_left or 0)
    change.lower_flag("launch_slow")
    block_claim(change)


def _destroy_left_over(change: TaskChange, attempt: Attempt) -> None:
    if not attempt.is_gone:
        destroy(change, attempt, at=change.now)
