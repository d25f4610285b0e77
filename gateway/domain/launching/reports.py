"""What launchers report under a lease: renewals, tries, sandboxes, ends and failures of jobs."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted, LeaseReply, TryReply
from gateway.domain.kernel.commands import (
    DelegateJob,
    FailJob,
    FinishJob,
    JobReport,
    RenewLease,
    ReportCreated,
    TrySandbox,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.inspection import judge_destroy, judge_inspection
from gateway.domain.launching.job import Job
from gateway.domain.launching.launch import (
    destroy_if_unwanted,
    launch_error,
    launch_failed,
    launch_report,
    launched,
    note_sandbox,
)
from gateway.domain.launching.orphans import answered_by, homeless_finished
from gateway.domain.launching.realm import serves
from gateway.domain.launching.sandbox_identity import check_sandbox, own_sandbox
from gateway.domain.tasks.event import Trying
from gateway.domain.tasks.task import Attempt, Sandbox
from gateway.domain.tasks.task_change import TaskChange


def renew(view: UnitOfWork, command: RenewLease, now: int) -> LeaseReply:
    """The launcher still works on it; it is told when the work is no longer wanted."""
    job = held(view, command, now)
    expires = now + view.policy.lease
    if job.is_delegated:
        expires = max(expires, job.lease_expires_at or 0)
    view.put_job(replace(job, lease_expires_at=expires, renewed=True))
    return LeaseReply(
        expires_at=expires,
        cancel=_is_unwanted(view, job) and not _may_still_stop(view, job, now),
        task_id=job.task_id,
        attempt=job.attempt,
    )


def trying(view: UnitOfWork, command: TrySandbox, now: int) -> TryReply:
    """From here on a sandbox may exist; nothing may be created once the agent has spoken."""
    job, draft, attempt = about(view, command, now)
    # Without the id of an earlier try: that one's absence would prove nothing of this one.
    sandbox = Sandbox(
        name=command.name,
        provider=command.provider,
        realm=command.realm,
        snapshot=draft.task.snapshot,
    )
    before = now + view.policy.create_window
    is_over = not job.is_open or job.kind != "create" or _is_unwanted(view, job)
    is_early = any(older.number < attempt.number for older in draft.living())
    if is_over or is_early or attempt.spoke_at is not None:
        return TryReply(create=False, create_before=before)
    check_sandbox(draft, job, attempt, sandbox)
    label = f"{job.id}.{job.lease}/{command.number}"
    if attempt.tried_as == label:  # its answer was lost on the way
        draft.put_attempt(replace(attempt, create_before=before))
    else:
        tried = replace(
            attempt,
            provider=command.provider,
            realm=command.realm,
            sandbox=sandbox,
            tried_at=now,
            tried_as=label,
            create_before=before,
            gone_at=None,
        )
        draft.put_attempt(tried)
        fact = Trying(sandbox=sandbox, number=command.number, note=command.note)
        draft.happen("sandbox.trying", fact, attempt=attempt.number, source="launcher")
    draft.keep()
    return TryReply(create=True, create_before=before)


def created(view: UnitOfWork, command: ReportCreated, now: int) -> Accepted:
    """The provider has named an id."""
    job, draft, attempt = about(view, command, now)
    if job.is_open and job.kind == "create":
        check_sandbox(draft, job, attempt, command.sandbox)
        note_sandbox(draft, attempt, command.sandbox)
        destroy_if_unwanted(draft, job)
        draft.keep()
    return Accepted()


def finished(view: UnitOfWork, command: FinishJob, now: int) -> Accepted:
    """The job is over; what was seen is judged."""
    job = _fenced(view, command, now)
    if not job.is_open or job.answered_lease == job.lease:
        return Accepted()
    if job.task_id is None:
        return homeless_finished(view, job, command, now)
    job, draft, attempt = about(view, command, now)
    if command.sandbox is None and job.kind == "create":
        command = replace(command, sandbox=own_sandbox(draft, job, attempt))
    if command.sandbox is not None:
        check_sandbox(draft, job, attempt, command.sandbox)
    if command.spool_offset is not None:
        attempt = replace(attempt, spool_offset=command.spool_offset)
        draft.put_attempt(attempt)
    answered = answered_by(job)
    if job.kind == "destroy":
        judge_destroy(draft, answered, attempt, command)
    else:
        draft.put_job(replace(answered, closed_at=now))
        if job.kind == "inspect":
            judge_inspection(draft, job, attempt, command)
        else:
            launched(draft, job, attempt, command)
    draft.keep()
    return Accepted()


def failed(view: UnitOfWork, command: FailJob, now: int) -> Accepted:
    """A create job is tried again or ends the attempt; a destroy is offered for ever."""
    job = _fenced(view, command, now)
    if not job.is_open or job.answered_lease == job.lease:
        return Accepted()
    nothing = FinishJob(job_id=job.id, lease_token=job.token)
    error = launch_error(command.error, "launch" if job.kind == "create" else "sandbox")
    if job.task_id is None:
        return homeless_finished(view, job, nothing, now, error)
    answered = answered_by(job, error)
    _, draft, attempt = about(view, command, now)
    if job.kind == "destroy":
        judge_destroy(draft, answered, attempt, nothing)
    else:
        draft.put_job(replace(answered, closed_at=now))
        if job.kind == "create":
            report = launch_report(command.error)
            launch_failed(draft, attempt, error, report)
    draft.keep()
    return Accepted()


def delegate(view: UnitOfWork, command: DelegateJob, now: int) -> Accepted:
    """The job waits for a launcher that was asked to start elsewhere, as long as a launch may
    take: one that never comes must not keep it for ever."""
    job = held(view, command, now)
    until = min(max(now, command.until), now + 2 * view.policy.launch)
    view.put_job(replace(job, is_delegated=True, lease_expires_at=until))
    return Accepted()


def _is_unwanted(view: UnitOfWork, job: Job) -> bool:
    task = view.tasks.get(job.task_id or "")
    if job.kind != "create" or task is None:
        return False
    over = task.status.is_terminal or task.attempt != job.attempt
    return over or task.cancel_requested_at is not None


def _may_still_stop(view: UnitOfWork, job: Job, now: int) -> bool:
    """Whether a cancel was requested, and its agent is still given time to hear of it."""
    task = view.tasks[job.task_id or ""]
    attempt = view.attempts.get((task.id, job.attempt or 0))
    is_current = task.attempt == job.attempt and not task.status.is_terminal
    has_time = task.clocks.cancel is not None and task.clocks.cancel > now
    return is_current and has_time and attempt is not None and attempt.spoke_at is not None


def about(view: UnitOfWork, command: JobReport, now: int) -> tuple[Job, TaskChange, Attempt]:
    """The job of a report, and the attempt it is about.

    Raises:
        ApiError: `unknown_job` or `lease_lost`.
    """
    job = _fenced(view, command, now)
    task = view.tasks.get(job.task_id or "")
    attempt = view.attempts.get((job.task_id or "", job.attempt or 0))
    if task is None or attempt is None:
        raise ApiError("unknown_job", "This job is not about a task.")
    return job, TaskChange(view, task, now), attempt


def held(view: UnitOfWork, command: JobReport, now: int) -> Job:
    """The job of a report that only who holds it may make.

    Raises:
        ApiError: `unknown_job` or `lease_lost`.
    """
    job = _fenced(view, command, now)
    if not job.is_open or job.answered_lease == job.lease:
        raise _lease_lost()
    return job


def _fenced(view: UnitOfWork, command: JobReport, now: int) -> Job:
    job = view.jobs.get(command.job_id)
    if job is None or not serves(command.project, job.project):
        raise ApiError("unknown_job", "There is no such job.")
    if not job.is_proved_by(command.lease_token):
        raise _lease_lost()
    launcher = view.launchers.get(job.leased_by or "")
    if launcher is not None and launcher.at < now and launcher.key_id in ("", command.key_id):
        view.note_call(replace(launcher, at=now))
    return job


def _lease_lost() -> ApiError:
    return ApiError(
        "lease_lost",
        "Another lease of this job has begun, or the job was taken back.",
        hint="Stop work on the job and destroy nothing.",
    )
