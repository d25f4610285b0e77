"""Claims: projects take turns; each turn leases the project's most urgent matching job."""

import hashlib
from base64 import urlsafe_b64encode
from itertools import groupby, islice
from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.answers import ClaimedJob, ClaimReply
from gateway.domain.kernel.commands import Claim
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import job_id
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.provider_health import admitted, take_probe
from gateway.domain.launching.realm import LIVE_FOR, ProviderRealm, serves
from gateway.domain.launching.sweep_findings import sweep_job
from gateway.domain.tasks.event import Ended, Launching
from gateway.domain.tasks.finish import end, opened
from gateway.domain.tasks.queue_clock import fits, queue_left, watch_launchers
from gateway.domain.tasks.task import Status, Task
from gateway.domain.tasks.task_change import TaskChange

MAX_EXTRA_JOBS: Final = 10
"""Limit of inspect, destroy and sweep jobs per claim; they come first and beyond the capacity."""
SECRET_BYTES: Final = 16
"""Length of the secret in a lease's token."""


def claim(unit: UnitOfWork, command: Claim, now: int) -> ClaimReply:
    """Records that the launcher is live, takes lost jobs back, and leases it jobs.

    Raises:
        ApiError: `launcher_id_taken`, `launcher_revoked`.
    """
    unit.audit.launcher = f"launcher:{command.launcher_id}"
    known = unit.launchers.get(command.launcher_id)
    is_its_own = known is None or known.key_id in {"", command.key_id}
    if known is not None and not is_its_own and now - known.at < LIVE_FOR:
        raise _id_taken(command.launcher_id)
    if known is not None:
        known.check_mode()
        if known.mode == "drained":
            command = replace(command, capacity=0)
    for provider_realm in command.providers:
        if (*provider_realm, command.project) not in unit.realms:
            unit.jobs.put(sweep_job((*provider_realm, command.project), now))
    unit.note_call(_call_of(command, known, now))
    if is_its_own:
        _release_lost(unit, command, now)
    if command.job_id is not None:
        return _claim_one(unit, command, now)
    extra = _extra_jobs(unit, command, now)
    return ClaimReply(jobs=(*extra, *_create_jobs(unit, command, now)))


def _call_of(command: Claim, known: LauncherCall | None, now: int) -> LauncherCall:
    """The call, with what ops have decided about the launcher."""
    call = LauncherCall(
        launcher_id=command.launcher_id,
        providers=command.providers,
        capacity=command.capacity,
        version=command.version,
        at=now,
        key_id=command.key_id,
        project=command.project,
    )
    if known is None:
        return call
    return replace(
        call,
        mode=known.mode,
        mode_since=known.mode_since,
        mode_reason=known.mode_reason,
        mode_actor=known.mode_actor,
    )


def _extra_jobs(unit: UnitOfWork, command: Claim, now: int) -> list[ClaimedJob]:
    offered = (unit.jobs[name] for name in unit.claims.offered)
    free = (job for job in offered if job.is_open and not job.is_held(now))
    fitting = (job for job in free if _is_for(job, command, now))
    return [_lease(unit, job, command, now) for job in islice(fitting, MAX_EXTRA_JOBS)]


def _create_jobs(unit: UnitOfWork, command: Claim, now: int) -> list[ClaimedJob]:
    """The least recently served project is next, with its most urgent task, then its oldest."""
    queues = _queues(unit, command) if command.capacity else {}
    claimed: list[ClaimedJob] = []
    while queues and len(claimed) < command.capacity:
        project = min(queues, key=lambda name: (unit.claims.turns.get(name, 0), name))
        task = queues[project].pop()
        if not queues[project]:
            del queues[project]
        # Only now: a batch of claims has loaded tasks for all of them, and most are looked at by
        # none; and the task before may have taken the last slot of the key, or a provider's probe.
        if _may_create(unit, task, command, now):
            claimed.append(_claim_create(unit, task, command, now))
    return claimed


def _queues(unit: UnitOfWork, command: Claim) -> dict[str, list[Task]]:
    """By project that the launcher serves, the tasks that are offered, the next one last."""
    loaded = (unit.tasks[task_id] for task_id in unit.claims.claimable)
    offered = [
        task
        for task in loaded
        if task.claimable_at is not None and serves(command.project, task.project)
    ]
    offered.sort(key=lambda task: (task.project, -task.priority, task.claimable_at, task.id))
    by_project = groupby(offered, key=lambda task: task.project)
    return {project: list(tasks)[::-1] for project, tasks in by_project}


def _claim_one(unit: UnitOfWork, command: Claim, now: int) -> ClaimReply:
    job = unit.jobs.get(command.job_id or "")
    task = unit.tasks.get(job.task_id or "") if job else None
    if job is None or not job.is_open or not serves(command.project, job.project):
        return ClaimReply(jobs=())
    if job.is_held(now) and not job.is_delegated:
        return ClaimReply(jobs=())
    if job.kind != "create":
        may = _is_for(job, command, now)
        return ClaimReply(jobs=(_lease(unit, job, command, now),) if may else ())
    if task is None or job.attempt != task.attempt or task.status.is_terminal:
        return ClaimReply(jobs=())
    if job.is_delegated and _is_reachable(unit, task, command):
        return ClaimReply(jobs=(_lease(unit, job, command, now),))
    if command.capacity and _may_create(unit, task, command, now):
        return ClaimReply(jobs=(_claim_create(unit, task, command, now),))
    return ClaimReply(jobs=())


def _is_for(job: Job, command: Claim, now: int) -> bool:
    is_due = job.not_before <= now and serves(command.project, job.project)
    return is_due and (job.provider or "", job.realm or "") in command.providers


def _may_create(unit: UnitOfWork, task: Task, command: Claim, now: int) -> bool:
    if task.claimable_at is None or task.claimable_at > now or task.status.is_terminal:
        return False
    if unit.switches.pause("launching", task.project, now) is not None:
        return False
    if _realm_for(unit, task, command, now) is None:
        return False
    return serves(command.project, task.project) and unit.keys.allows(task)


def _realm_for(unit: UnitOfWork, task: Task, command: Claim, now: int) -> ProviderRealm | None:
    """The launcher's first that fits the task and where launches are allowed."""
    attempt = unit.attempts.get((task.id, task.attempt))
    allowed = admitted(unit, command.providers, command.project, now)
    return next((each for each in allowed if fits(task, attempt, each)), None)


def _is_reachable(unit: UnitOfWork, task: Task, command: Claim) -> bool:
    """True if the launcher serves the task's project, and the sandbox's realm if it has one."""
    if not serves(command.project, task.project):
        return False
    attempt = unit.attempts.get((task.id, task.attempt))
    return any(fits(task, attempt, each) for each in command.providers)


def _claim_create(unit: UnitOfWork, task: Task, command: Claim, now: int) -> ClaimedJob:
    change = TaskChange(unit, task, now)
    attempt = change.attempt or opened(change)
    claimed_at = attempt.claimed_at or now
    attempt = replace(attempt, claimed_at=claimed_at, launcher_id=command.launcher_id)
    if task.status is Status.QUEUED:
        # An outage may have moved the clock beyond the time left by the rule.
        left = max(queue_left(change), (task.clocks.queue or now) - now, 0)
        attempt = replace(attempt, launches=attempt.launches + 1, queue_left=left)
        fact = Launching(launcher_id=command.launcher_id, launch=attempt.launches)
        change.emit("task.launching", fact, source="launcher")
        launch = unit.policy.launch
        change.schedule(queue=None, launch_slow=now + launch, launch_end=now + 2 * launch)
    change.schedule(claimable_at=None, no_launcher=None)
    change.lower_flag("no_launcher", "provider_down")
    change.put_attempt(attempt)
    change.save()
    unit.claims.take_turn(task.project)
    name = job_id(task.id, task.attempt, "create")
    job = unit.jobs.get(name) or Job(
        id=name, kind="create", task_id=task.id, attempt=task.attempt, project=task.project
    )
    # The realm at the task's provider, if ops have named one; else the first that is not paused.
    provider, realm = None, None
    provider_realm = _realm_for(unit, task, command, now)
    if provider_realm is not None and (task.provider or provider_realm != command.providers[0]):
        provider, realm = provider_realm
    if provider_realm is not None:
        take_probe(unit, (*provider_realm, command.project), now)
    return _lease(unit, replace(job, provider=provider, realm=realm), command, now)


def _lease(unit: UnitOfWork, job: Job, command: Claim, now: int) -> ClaimedJob:
    leased = replace(
        job,
        lease=job.lease + 1,
        lease_secret=_secret_of(job, command),
        leased_by=command.launcher_id,
        lease_expires_at=now + unit.policy.lease,
        renewed=False,
        is_delegated=False,
        closed_at=None,
    )
    unit.jobs.put(leased)
    task = unit.tasks.get(job.task_id or "")
    attempt = unit.attempts.get((job.task_id or "", job.attempt or 0))
    return ClaimedJob(job=leased, task=task, attempt=attempt)


def _secret_of(job: Job, command: Claim) -> str:
    """Derives the job's own secret from that of the claim."""
    text = f"{job.id}.{job.lease}".encode()
    digest = hashlib.blake2b(text, key=command.secret, digest_size=SECRET_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _id_taken(launcher_id: str) -> ApiError:
    return ApiError(
        "launcher_id_taken",
        f"Another key's launcher calls itself {launcher_id}.",
        hint="Give each launcher process an id of its own; one that has not called for 60 s is "
        "free again.",
    )


def _release_lost(unit: UnitOfWork, command: Claim, now: int) -> None:
    """Releases jobs that this process does not hold and never renewed: the answer to its claim was
    lost."""
    for job in list(unit.jobs.values()):
        is_lost = (
            job.leased_by == command.launcher_id
            and job.is_held(now)
            and not job.renewed
            and not job.is_delegated
            and job.id not in command.holding
        )
        if is_lost:
            release(unit, job, now)


def revoked(job: Job) -> Job:
    """The job without a holder; every token issued for it becomes invalid."""
    return replace(
        job,
        lease=job.lease + 1,
        lease_secret="",
        leased_by=None,
        lease_expires_at=None,
        is_delegated=False,
    )


def release(unit: UnitOfWork, job: Job, now: int) -> None:
    """Offers a held job again, without counting it. The old token becomes invalid now, not at the
    next claim, so that no two launchers work on the job."""
    freed = revoked(job)
    unit.jobs.put(freed)
    task = unit.tasks.get(job.task_id or "")
    if job.kind not in {"create", "inspect"} or task is None:
        return
    if task.attempt != job.attempt or task.status.is_terminal:
        unit.jobs.put(replace(freed, closed_at=now))
        return
    if job.kind == "create":
        change = TaskChange(unit, task, now)
        _offer_again(change)
        change.save()


def _offer_again(change: TaskChange) -> None:
    """Any launcher may continue the launch; a cancelled one that was never tried ends."""
    attempt = change.attempt
    if change.task.cancel_requested_at is None:
        change.schedule(claimable_at=change.now)
        watch_launchers(change)
    elif attempt is not None and not attempt.was_tried:
        end(change, Status.CANCELLED, Ended())
