"""What launchers report under a lease: renewals, tries, sandboxes, ends and failures of jobs."""

from msgspec.structs import replace

from gateway.domain.commands import (
    Accepted,
    DelegateJob,
    FailJob,
    FinishJob,
    JobReport,
    LeaseReply,
    RenewLease,
    ReportCreated,
    TryReply,
    TrySandbox,
)
from gateway.domain.draft import Draft
from gateway.domain.ending import destroy, end
from gateway.domain.errors import Refused
from gateway.domain.event import Ended, Launched, Retried, SandboxReported, Trying
from gateway.domain.job import Job
from gateway.domain.judging import judge_destroy, judge_inspection
from gateway.domain.running import begin, is_waiting
from gateway.domain.task import Attempt, Sandbox, Status, TaskError
from gateway.domain.view import View

RELAUNCH_BACKOFF = (5_000, 30_000)
"""Before the 2nd and the 3rd launch of an attempt (milliseconds); there is no 4th."""


def renew(view: View, command: RenewLease, now: int) -> LeaseReply:
    """The launcher still works on it; it is told when the work is no longer wanted."""
    job = _held(view, command)
    expires = now + view.policy.lease
    if job.is_delegated:
        expires = max(expires, job.lease_expires_at or 0)
    view.put_job(replace(job, lease_expires_at=expires, renewed=True))
    return LeaseReply(expires_at=expires, cancel=_is_unwanted(view, job))


def trying(view: View, command: TrySandbox, now: int) -> TryReply:
    """From here on a sandbox may exist; nothing may be created once the agent has spoken."""
    job, draft, attempt = _about(view, command, now)
    before = now + view.policy.create_window
    if not job.is_open or job.kind != "create":
        return TryReply(create=False, create_before=before)
    moved = attempt.realm is not None and attempt.realm != command.realm
    if moved and attempt.was_tried and not attempt.is_gone:
        raise Refused("realm_mismatch", "The sandbox of this attempt is in another realm.")
    if attempt.spoke_at is not None or _is_unwanted(view, job):
        return TryReply(create=False, create_before=before)
    # Without the id of an earlier try: that one's absence would prove nothing of this one.
    sandbox = Sandbox(
        name=command.name,
        provider=command.provider,
        realm=command.realm,
        snapshot=draft.task.snapshot,
    )
    draft.put_attempt(
        replace(
            attempt,
            provider=command.provider,
            realm=command.realm,
            sandbox=sandbox,
            tried_at=now,
            create_before=before,
            gone_at=None,
        )
    )
    fact = Trying(sandbox=sandbox, number=command.number, note=command.note)
    draft.happen("sandbox.trying", fact, attempt=attempt.number, source="launcher")
    draft.keep()
    return TryReply(create=True, create_before=before)


def created(view: View, command: ReportCreated, now: int) -> Accepted:
    """The provider has named an id."""
    job, draft, attempt = _about(view, command, now)
    if job.is_open:
        _note_sandbox(draft, attempt, command.sandbox)
        _destroy_if_unwanted(draft, job)
        draft.keep()
    return Accepted()


def finished(view: View, command: FinishJob, now: int) -> Accepted:
    """The job is over; what was seen is judged."""
    job = _fenced(view, command)
    if not job.is_open or job.answered_lease == job.lease:
        return Accepted()
    if job.task_id is None:
        view.put_job(replace(job, closed_at=now, answered_lease=job.lease))
        return Accepted()
    job, draft, attempt = _about(view, command, now)
    if command.spool_offset is not None:
        attempt = replace(attempt, spool_offset=command.spool_offset)
        draft.put_attempt(attempt)
    answered = replace(job, answered_lease=job.lease, leased_by=None, lease_expires_at=None)
    if job.kind == "destroy":
        judge_destroy(draft, answered, attempt, command)
    else:
        draft.put_job(replace(answered, closed_at=now))
        if job.kind == "inspect":
            judge_inspection(draft, attempt, command)
        else:
            _launched(draft, job, attempt, command.sandbox)
    draft.keep()
    return Accepted()


def failed(view: View, command: FailJob, now: int) -> Accepted:
    """A create job is tried again or ends the attempt; a destroy is offered for ever."""
    job = _fenced(view, command)
    if not job.is_open or job.answered_lease == job.lease:
        return Accepted()
    answered = replace(job, answered_lease=job.lease, leased_by=None, lease_expires_at=None)
    if job.task_id is None:
        view.put_job(replace(answered, closed_at=now))
        return Accepted()
    _, draft, attempt = _about(view, command, now)
    if job.kind == "destroy":
        judge_destroy(draft, answered, attempt, FinishJob(job_id=job.id, lease_token=job.token))
    else:
        draft.put_job(replace(answered, closed_at=now))
        if job.kind == "create":
            error = TaskError(
                stage="launch",
                code=command.error.code,
                message=command.error.message,
                retryable=command.error.retryable,
            )
            launch_failed(draft, attempt, error)
    draft.keep()
    return Accepted()


def delegate(view: View, command: DelegateJob, now: int) -> Accepted:
    """The job waits for a launcher that was asked to start elsewhere."""
    job = _held(view, command)
    view.put_job(replace(job, is_delegated=True, lease_expires_at=max(now, command.until)))
    return Accepted()


def launch_failed(draft: Draft, attempt: Attempt, error: TaskError) -> None:
    """Queued again with backoff, at most twice; a permanent error or a third one ends it."""
    task = draft.task
    if attempt.number != task.attempt or task.status.is_terminal:
        _destroy_left_over(draft, attempt)
    elif task.cancel_requested_at is not None:
        end(draft, Status.CANCELLED, Ended())
    elif not is_waiting(task.status):
        return
    elif error.retryable and attempt.launches <= len(RELAUNCH_BACKOFF):
        _launch_again(draft, attempt, error)
    else:
        end(draft, Status.FAILED, Ended(error=error))


def _launch_again(draft: Draft, attempt: Attempt, error: TaskError) -> None:
    again = Retried(attempt=attempt.number, launch=attempt.launches + 1, error=error)
    draft.happen("task.retried", again)
    at = draft.now + RELAUNCH_BACKOFF[attempt.launches - 1]
    draft.change(
        claimable_at=at,
        queue=at + (attempt.queue_left or 0),
        launch_slow=None,
        launch_end=None,
    )
    draft.lower_flag("launch_slow")


def _launched(draft: Draft, job: Job, attempt: Attempt, sandbox: Sandbox | None) -> None:
    if sandbox is not None:
        attempt = _note_sandbox(draft, attempt, sandbox)
    if _destroy_if_unwanted(draft, job):
        return
    if is_waiting(draft.task.status):
        draft.happen("task.launched", Launched(sandbox=attempt.sandbox), source="launcher")
        begin(draft)
        draft.change(claimable_at=None)


def _note_sandbox(draft: Draft, attempt: Attempt, sandbox: Sandbox) -> Attempt:
    """`created` or `done` without `trying` is taken as both."""
    noted = replace(
        attempt,
        provider=sandbox.provider,
        realm=sandbox.realm,
        sandbox=sandbox,
        tried_at=attempt.tried_at or draft.now,
        gone_at=None,
    )
    draft.put_attempt(noted)
    is_new = attempt.sandbox is None or attempt.sandbox.id != sandbox.id
    kind = "sandbox.created" if is_new else "sandbox.state"
    if attempt.sandbox != sandbox:
        fact = SandboxReported(sandbox=sandbox)
        draft.happen(kind, fact, attempt=attempt.number, source="launcher")
    return noted


def _destroy_if_unwanted(draft: Draft, job: Job) -> bool:
    task = draft.task
    attempt = draft.attempt_of(job.attempt or 0)
    over = task.status.is_terminal or task.attempt != job.attempt
    if attempt is None or not (over or task.cancel_requested_at is not None):
        return False
    if over or attempt.spoke_at is None:
        _destroy_left_over(draft, attempt)
    return True


def _destroy_left_over(draft: Draft, attempt: Attempt) -> None:
    if not attempt.is_gone:
        destroy(draft, attempt, at=draft.now)


def _is_unwanted(view: View, job: Job) -> bool:
    task = view.tasks.get(job.task_id or "")
    if job.kind != "create" or task is None:
        return False
    over = task.status.is_terminal or task.attempt != job.attempt
    return over or task.cancel_requested_at is not None


def _about(view: View, command: JobReport, now: int) -> tuple[Job, Draft, Attempt]:
    job = _fenced(view, command)
    task = view.tasks.get(job.task_id or "")
    attempt = view.attempts.get((job.task_id or "", job.attempt or 0))
    if task is None or attempt is None:
        raise Refused("unknown_job", "This job is not about a task.")
    return job, Draft(view, task, now), attempt


def _held(view: View, command: JobReport) -> Job:
    job = _fenced(view, command)
    if not job.is_open or job.answered_lease == job.lease:
        raise _lease_lost()
    return job


def _fenced(view: View, command: JobReport) -> Job:
    job = view.jobs.get(command.job_id)
    if job is None:
        raise Refused("unknown_job", "There is no such job.")
    if command.lease_token != job.token:
        raise _lease_lost()
    return job


def _lease_lost() -> Refused:
    return Refused(
        "lease_lost",
        "Another lease of this job has begun, or the job was taken back.",
        hint="Stop work on the job and destroy nothing.",
    )
