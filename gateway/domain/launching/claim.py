"""Who gets which job: projects take turns, and of each the most urgent ones that this launcher can
do, each under a new lease."""

import hashlib
from base64 import urlsafe_b64encode
from itertools import groupby, islice

from msgspec.structs import replace

from gateway.domain.kernel.answers import ClaimedJob, ClaimReply
from gateway.domain.kernel.commands import Claim
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import job_id
from gateway.domain.kernel.unit_of_work import LauncherCall, UnitOfWork
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import LIVE_FOR, serves
from gateway.domain.launching.sweep_findings import sweep_job
from gateway.domain.tasks.event import Ended, Launching
from gateway.domain.tasks.finish import end, opened
from gateway.domain.tasks.queue_clock import fits, queue_left, watch
from gateway.domain.tasks.task import Status, Task
from gateway.domain.tasks.task_change import TaskChange

MAX_EXTRA_JOBS = 10
"""Inspect, destroy and sweep jobs come on top of the capacity, at most so many, and first."""
SECRET_BYTES = 16
"""Of a lease's token."""


def claim(view: UnitOfWork, command: Claim, now: int) -> ClaimReply:
    """Notes that the launcher is live, takes back what it forgot, and leases it work.

    Raises:
        ApiError: `launcher_id_taken`.
    """
    known = view.launchers.get(command.launcher_id)
    is_its_own = known is None or known.key_id in {"", command.key_id}
    if known is not None and not is_its_own and now - known.at < LIVE_FOR:
        raise _taken(command.launcher_id)
    for place in command.providers:
        if (*place, command.project) not in view.realms:
            view.put_job(sweep_job((*place, command.project), now))
    view.note_call(
        LauncherCall(
            launcher_id=command.launcher_id,
            providers=command.providers,
            capacity=command.capacity,
            version=command.version,
            at=now,
            key_id=command.key_id,
            project=command.project,
        )
    )
    if is_its_own:
        _take_back(view, command, now)
    if command.job_id is not None:
        return _claim_one(view, command, now)
    extra = _extra_jobs(view, command, now)
    return ClaimReply(jobs=(*extra, *_create_jobs(view, command, now)))


def _extra_jobs(view: UnitOfWork, command: Claim, now: int) -> list[ClaimedJob]:
    fitting = (view.jobs[name] for name in view.offered if _may_have(view.jobs[name], command, now))
    return [_lease(view, job, command, now) for job in islice(fitting, MAX_EXTRA_JOBS)]


def _create_jobs(view: UnitOfWork, command: Claim, now: int) -> list[ClaimedJob]:
    """The project that was served longest ago is next; its most urgent task, then its oldest."""
    queues = _queues(view, command, now) if command.capacity else {}
    claimed: list[ClaimedJob] = []
    while queues and len(claimed) < command.capacity:
        project = min(queues, key=lambda name: (view.turns.get(name, 0), name))
        task = queues[project].pop()
        if not queues[project]:
            del queues[project]
        if view.has_room(task):  # the one before may have taken the key
            claimed.append(_claim_create(view, task, command, now))
    return claimed


def _queues(view: UnitOfWork, command: Claim, now: int) -> dict[str, list[Task]]:
    """By project, the tasks that this launcher may have, the next one last."""
    offered = (view.tasks[task_id] for task_id in view.claimable)
    fitting = [task for task in offered if _may_create(view, task, command, now)]
    fitting.sort(key=lambda task: (task.project, -task.priority, task.claimable_at, task.id))
    by_project = groupby(fitting, key=lambda task: task.project)
    return {project: list(tasks)[::-1] for project, tasks in by_project}


def _claim_one(view: UnitOfWork, command: Claim, now: int) -> ClaimReply:
    job = view.jobs.get(command.job_id or "")
    task = view.tasks.get(job.task_id or "") if job else None
    if job is None or not job.is_open or not serves(command.project, job.project):
        return ClaimReply(jobs=())
    if job.is_held(now) and not job.is_delegated:
        return ClaimReply(jobs=())
    if job.kind != "create":
        may = _is_for(job, command, now)
        return ClaimReply(jobs=(_lease(view, job, command, now),) if may else ())
    if task is None or job.attempt != task.attempt or task.status.is_terminal:
        return ClaimReply(jobs=())
    if job.is_delegated and _is_reachable(view, task, command):
        return ClaimReply(jobs=(_lease(view, job, command, now),))
    if _may_create(view, task, command, now):
        return ClaimReply(jobs=(_claim_create(view, task, command, now),))
    return ClaimReply(jobs=())


def _may_have(job: Job, command: Claim, now: int) -> bool:
    return job.is_open and not job.is_held(now) and _is_for(job, command, now)


def _is_for(job: Job, command: Claim, now: int) -> bool:
    is_due = job.not_before <= now and serves(command.project, job.project)
    return is_due and (job.provider or "", job.realm or "") in command.providers


def _may_create(view: UnitOfWork, task: Task, command: Claim, now: int) -> bool:
    if task.claimable_at is None or task.claimable_at > now or task.status.is_terminal:
        return False
    return _is_reachable(view, task, command) and view.has_room(task)


def _is_reachable(view: UnitOfWork, task: Task, command: Claim) -> bool:
    """Whether the launcher serves the task's project and the sandbox's realm, or may choose one."""
    if not serves(command.project, task.project):
        return False
    attempt = view.attempts.get((task.id, task.attempt))
    return any(fits(task, attempt, place) for place in command.providers)


def _claim_create(view: UnitOfWork, task: Task, command: Claim, now: int) -> ClaimedJob:
    draft = TaskChange(view, task, now)
    attempt = draft.attempt or opened(draft)
    attempt = replace(attempt, claimed_at=attempt.claimed_at or now)
    if task.status is Status.QUEUED:
        # An outage may have moved the clock past what would be left by the rule.
        left = max(queue_left(draft), (task.clocks.queue or now) - now, 0)
        attempt = replace(attempt, launches=attempt.launches + 1, queue_left=left)
        fact = Launching(launcher_id=command.launcher_id, launch=attempt.launches)
        draft.happen("task.launching", fact, source="launcher")
        launch = view.policy.launch
        draft.change(queue=None, launch_slow=now + launch, launch_end=now + 2 * launch)
    draft.change(claimable_at=None, no_launcher=None)
    draft.lower_flag("no_launcher")
    draft.put_attempt(attempt)
    draft.keep()
    view.take_turn(task.project)
    name = job_id(task.id, task.attempt, "create")
    job = view.jobs.get(name) or Job(
        id=name,
        kind="create",
        task_id=task.id,
        attempt=task.attempt,
        project=task.project,
    )
    provider, realm = _wanted_place(task, command) or (None, None)
    return _lease(view, replace(job, provider=provider, realm=realm), command, now)


def _wanted_place(task: Task, command: Claim) -> tuple[str, str] | None:
    """Where the launcher has to go, if ops have named a provider."""
    return next((place for place in command.providers if place[0] == task.provider), None)


def _lease(view: UnitOfWork, job: Job, command: Claim, now: int) -> ClaimedJob:
    leased = replace(
        job,
        lease=job.lease + 1,
        lease_secret=_secret_of(job, command),
        leased_by=command.launcher_id,
        lease_expires_at=now + view.policy.lease,
        renewed=False,
        is_delegated=False,
        closed_at=None,
    )
    view.put_job(leased)
    task = view.tasks.get(job.task_id or "")
    attempt = view.attempts.get((job.task_id or "", job.attempt or 0))
    return ClaimedJob(job=leased, task=task, attempt=attempt)


def _secret_of(job: Job, command: Claim) -> str:
    """The claim's own secret, for this job alone."""
    text = f"{job.id}.{job.lease}".encode()
    digest = hashlib.blake2b(text, key=command.secret, digest_size=SECRET_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _taken(launcher_id: str) -> ApiError:
    return ApiError(
        "launcher_id_taken",
        f"Another key's launcher calls itself {launcher_id}.",
        hint="Give each launcher process an id of its own; one that has not called for 60 s is "
        "free again.",
    )


def _take_back(view: UnitOfWork, command: Claim, now: int) -> None:
    """Jobs given to this very process that it does not hold and never renewed: the answer to its
    claim was lost on the way."""
    for job in list(view.jobs.values()):
        forgotten = (
            job.leased_by == command.launcher_id
            and job.is_held(now)
            and not job.renewed
            and not job.is_delegated
            and job.id not in command.holding
        )
        if forgotten:
            release(view, job, now)


def revoked(job: Job) -> Job:
    """The job as nobody holds it: no token that was given out fits again."""
    return replace(
        job,
        lease=job.lease + 1,
        lease_secret="",
        leased_by=None,
        lease_expires_at=None,
        is_delegated=False,
    )


def release(view: UnitOfWork, job: Job, now: int) -> None:
    """Nobody holds the job any more: it is offered again, and that is not counted. The old token
    dies here and not at the next claim, or two would work on it."""
    freed = revoked(job)
    view.put_job(freed)
    task = view.tasks.get(job.task_id or "")
    if job.kind not in {"create", "inspect"} or task is None:
        return
    if task.attempt != job.attempt or task.status.is_terminal:
        view.put_job(replace(freed, closed_at=now))
        return
    if job.kind == "create":
        draft = TaskChange(view, task, now)
        _offer_again(draft)
        draft.keep()


def _offer_again(draft: TaskChange) -> None:
    """The launch goes on with whoever comes; a cancelled one that was never tried is over."""
    attempt = draft.attempt
    if draft.task.cancel_requested_at is None:
        draft.change(claimable_at=draft.now)
        watch(draft)
    elif attempt is not None and not attempt.was_tried:
        end(draft, Status.CANCELLED, Ended())
