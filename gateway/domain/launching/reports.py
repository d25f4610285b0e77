"""Reports of launchers: renewals, tries, sandboxes, ends and failures of jobs."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted, LeaseReply, TryReply
from gateway.domain.kernel.commands import (
    DelegateJob,
    FailJob,
    FinishJob,
    JobReport,
    RenewLease,
    ReportCreated,
    ReportEnded,
    TrySandbox,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import SandboxKey
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.inspection import apply_destroy, apply_inspection
from gateway.domain.launching.job import Job
from gateway.domain.launching.launch import (
    destroy_if_unwanted,
    launch_error,
    launch_failed,
    launch_report,
    launched,
    record_sandbox,
)
from gateway.domain.launching.provider_health import note_failure
from gateway.domain.launching.realm import serves
from gateway.domain.launching.sandbox_identity import check_sandbox, own_sandbox
from gateway.domain.launching.sweep_findings import answered_by, orphan_finished
from gateway.domain.tasks.event import Trying
from gateway.domain.tasks.task import Attempt, Sandbox, Status
from gateway.domain.tasks.task_change import TaskChange


def renew(unit: UnitOfWork, command: RenewLease, now: int) -> LeaseReply:
    """Extends the lease; `cancel` tells the launcher that the job is no longer wanted."""
    job = held(unit, command, now)
    expires = now + unit.policy.lease
    if job.is_delegated:
        expires = max(expires, job.lease_expires_at or 0)
    unit.jobs.put(replace(job, lease_expires_at=expires, renewed=True))
    return LeaseReply(
        expires_at=expires,
        cancel=_is_unwanted(unit, job) and not _may_still_stop(unit, job, now),
        task_id=job.task_id,
        attempt=job.attempt,
    )


def trying(unit: UnitOfWork, command: TrySandbox, now: int) -> TryReply:
    """Permits a create call, after which a sandbox may exist; none after an event of the agent."""
    job, change, attempt = job_and_attempt(unit, command, now)
    # Without the id of an earlier try: its absence would prove nothing about this one.
    sandbox = Sandbox(
        name=command.name,
        provider=command.provider,
        realm=command.realm,
        snapshot=change.task.snapshot,
    )
    before = now + unit.policy.create_window
    is_over = not job.is_open or job.kind != "create" or _is_unwanted(unit, job)
    is_early = any(older.number < attempt.number for older in change.living())
    if is_over or is_early or attempt.first_event_at is not None:
        return TryReply(create=False, create_before=before)
    check_sandbox(change, job, attempt, sandbox)
    label = f"{job.id}.{job.lease}/{command.number}"
    if attempt.tried_as == label:  # its answer was lost
        change.put_attempt(replace(attempt, create_before=before))
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
        change.put_attempt(tried)
        fact = Trying(sandbox=sandbox, number=command.number, note=command.note)
        change.emit("sandbox.trying", fact, attempt=attempt.number, source="launcher")
    change.save()
    return TryReply(create=True, create_before=before)


def created(unit: UnitOfWork, command: ReportCreated, now: int) -> Accepted:
    """Records the sandbox that the provider has created; of a destroy job, whose sandbox is on its
    way out, its id alone."""
    job, change, attempt = job_and_attempt(unit, command, now)
    if job.is_open and job.kind in ("create", "destroy"):
        check_sandbox(change, job, attempt, command.sandbox)
        if job.kind == "create":
            record_sandbox(change, attempt, command.sandbox)
            destroy_if_unwanted(change, job)
        elif attempt.sandbox is not None:
            known = replace(attempt.sandbox, id=command.sandbox.id)
            change.put_attempt(replace(attempt, sandbox=known))
        change.save()
    return Accepted()


def finished(unit: UnitOfWork, command: FinishJob, now: int) -> Accepted:
    """Closes the job and applies its result."""
    job = _fenced(unit, command, now)
    if not job.is_open or job.answered_lease == job.lease:
        return Accepted()
    if job.task_id is None:
        return orphan_finished(unit, job, command, now)
    job, change, attempt = job_and_attempt(unit, command, now)
    if command.sandbox is None and job.kind == "create":
        command = replace(command, sandbox=own_sandbox(change, job, attempt))
    if command.sandbox is not None:
        check_sandbox(change, job, attempt, command.sandbox)
    if command.spool_offset is not None:
        attempt = replace(attempt, spool_offset=command.spool_offset)
        change.put_attempt(attempt)
    answered = answered_by(job)
    if job.kind == "destroy":
        apply_destroy(change, answered, attempt, command)
    else:
        change.put_job(replace(answered, closed_at=now))
        if job.kind == "inspect":
            apply_inspection(change, job, attempt, command)
        else:
            launched(change, job, attempt, command)
    change.save()
    return Accepted()


def failed(unit: UnitOfWork, command: FailJob, now: int) -> Accepted:
    """A failed create is launched again or ends the attempt; a destroy is offered without end."""
    job = _fenced(unit, command, now)
    if not job.is_open or job.answered_lease == job.lease:
        return Accepted()
    nothing = FinishJob(job_id=job.id, lease_token=job.token)
    error = launch_error(command.error, "launch" if job.kind == "create" else "sandbox")
    if job.task_id is None:
        return orphan_finished(unit, job, nothing, now, error)
    answered = answered_by(job, error)
    _, change, attempt = job_and_attempt(unit, command, now)
    if job.kind == "destroy":
        apply_destroy(change, answered, attempt, nothing)
    else:
        change.put_job(replace(answered, closed_at=now))
        if job.kind == "create":
            report = launch_report(command.error)
            is_paused = note_failure(unit, job, attempt, error, now, named=command.error.provider)
            launch_failed(change, attempt, error, report, is_provider_paused=is_paused)
    change.save()
    return Accepted()


def delegate(unit: UnitOfWork, command: DelegateJob, now: int) -> Accepted:
    """Keeps the job for a launcher that is being started elsewhere, at most as long as a launch may
    take: one that never calls must not hold the job."""
    job = held(unit, command, now)
    until = min(max(now, command.until), now + 2 * unit.policy.launch)
    unit.jobs.put(replace(job, is_delegated=True, lease_expires_at=until))
    return Accepted()


def processes_ended(unit: UnitOfWork, command: ReportEnded, now: int) -> Accepted:
    """Inspects the running attempts of these sandboxes at once: their agents have ended. Ignores
    sandboxes of realms that the launcher does not serve."""
    launcher = unit.launchers.get(command.launcher_id)
    if launcher is not None:
        launcher.check_mode()
    ended = {key for key in command.sandboxes if _is_reachable(unit, command, key)}
    for task in [*unit.tasks.values()]:
        attempt = unit.attempts.get((task.id, task.attempt))
        if not serves(command.project, task.project):
            continue
        if task.status is Status.RUNNING and attempt is not None and _sandbox_key(attempt) in ended:
            change = TaskChange(unit, task, now)
            change.put_attempt(replace(attempt, exited_at=now))
            change.open_job("inspect", attempt, not_before=now)
            change.save()
    return Accepted()


def _is_reachable(unit: UnitOfWork, command: ReportEnded, key: SandboxKey) -> bool:
    """True for the realms that the launcher claims for; before its first claim, for those of all
    launchers of its project."""
    provider, realm, _ = key
    launcher = unit.launchers.get(command.launcher_id)
    if launcher is not None and launcher.key_id in ("", command.key_id):
        return (provider, realm) in launcher.providers
    return (provider, realm, command.project) in unit.realms


def _sandbox_key(attempt: Attempt) -> SandboxKey | None:
    sandbox = attempt.sandbox
    if sandbox is None or attempt.is_gone:
        return None
    return (attempt.provider or "", attempt.realm or "", sandbox.name)


def _is_unwanted(unit: UnitOfWork, job: Job) -> bool:
    task = unit.tasks.get(job.task_id or "")
    if job.kind != "create" or task is None:
        return False
    over = task.status.is_terminal or task.attempt != job.attempt
    return over or task.cancel_requested_at is not None


def _may_still_stop(unit: UnitOfWork, job: Job, now: int) -> bool:
    """True while a cancelled agent still has time to stop by itself."""
    task = unit.tasks[job.task_id or ""]
    attempt = unit.attempts.get((task.id, job.attempt or 0))
    is_current = task.attempt == job.attempt and not task.status.is_terminal
    has_time = task.clocks.cancel is not None and task.clocks.cancel > now
    return is_current and has_time and attempt is not None and attempt.first_event_at is not None


def job_and_attempt(
    unit: UnitOfWork, command: JobReport, now: int
) -> tuple[Job, TaskChange, Attempt]:
    """The job of a report, and the attempt it is about. Raises `unknown_job` or `lease_lost`."""
    job = _fenced(unit, command, now)
    task = unit.tasks.get(job.task_id or "")
    attempt = unit.attempts.get((job.task_id or "", job.attempt or 0))
    if task is None or attempt is None:
        raise ApiError("unknown_job", "This job is not about a task.")
    return job, TaskChange(unit, task, now), attempt


def held(unit: UnitOfWork, command: JobReport, now: int) -> Job:
    """The job of a report that only its holder may send. Raises `unknown_job` or `lease_lost`."""
    job = _fenced(unit, command, now)
    if not job.is_open or job.answered_lease == job.lease:
        raise _lease_lost()
    return job


def _fenced(unit: UnitOfWork, command: JobReport, now: int) -> Job:
    job = unit.jobs.get(command.job_id)
    if job is None or not serves(command.project, job.project):
        raise ApiError("unknown_job", "There is no such job.")
    if not job.is_proved_by(command.lease_token):
        raise _lease_lost()
    unit.audit.launcher = f"launcher:{job.leased_by}"
    launcher = unit.launchers.get(job.leased_by or "")
    if launcher is not None and launcher.at < now and launcher.key_id in ("", command.key_id):
        unit.note_call(replace(launcher, at=now))
    return job


def _lease_lost() -> ApiError:
    return ApiError(
        "lease_lost",
        "Another lease of this job has begun, or the job was taken back.",
        hint="Stop work on the job and destroy nothing.",
    )
