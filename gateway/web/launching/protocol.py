"""The launcher protocol over HTTP: claims that wait, and reports under a lease."""

import asyncio
import hashlib
import time
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel import commands
from gateway.domain.kernel.answers import Accepted, ClaimedJob, ClaimReply, LeaseReply, TryReply
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.kernel.ids import sandbox_name
from gateway.domain.kernel.keyring import UnknownKey, Unreadable
from gateway.domain.launching.job import INSTANCE, LABELS, Job, OrphanSandbox, labels, owner
from gateway.domain.tasks.task import Sandbox
from gateway.store.records import ApiKey
from gateway.web.agents.patches import kept_piece, needs_rescue, own_texts
from gateway.web.context import Context, context_of
from gateway.web.http.auth import LAUNCHER, authorize, served_by
from gateway.web.http.body import REPORT_LIMIT, read_as
from gateway.web.http.fields import countable
from gateway.web.http.replies import reply
from gateway.web.launching.sandbox_env import launch_env
from gateway.web.launching.spool import submit_spooled
from gateway.web.tasks.patches import resumable_patch
from gateway.wire import launcher as wire
from gateway.wire.redaction import redact
from gateway.wire.scrubbing import plain
from gateway.wire.times import rfc3339

CREATE_SECONDS: Final = 30


async def claim(request: Request) -> Response:
    """`POST /claim`: waits for work that this launcher can do."""
    context, key = await _launcher(request)
    wanted = await read_as(wire.Claim, request)
    command = commands.Claim(
        launcher_id=wanted.launcher_id,
        providers=tuple(_pair(provider) for provider in wanted.providers),
        capacity=wanted.capacity,
        holding=wanted.holding,
        job_id=wanted.job_id,
        version=wanted.version,
        secret=context.secret(),
        key_id=key.id,
        project=served_by(key),
    )
    claimed = await _wait_for_jobs(request, context, command, wanted.wait_seconds)
    jobs = await asyncio.gather(*(_readable_job(context, job) for job in claimed))
    return reply(wire.Jobs(jobs=tuple(job for job in jobs if job is not None)))


async def renew(request: Request) -> Response:
    """`POST /jobs/{id}/renew`."""
    context, key = await _launcher(request)
    lease = await read_as(wire.Lease, request)
    command = commands.RenewLease(
        job_id=_job_id(request),
        lease_token=lease.lease_token,
        key_id=key.id,
        project=served_by(key),
    )
    answer = await context.ask(command, LeaseReply)
    expires = rfc3339(answer.expires_at)
    return reply(wire.Renewed(lease_expires_at=expires, cancel=answer.cancel))


async def trying(request: Request) -> Response:
    """`POST /jobs/{id}/trying`."""
    context, key = await _launcher(request)
    report = await read_as(wire.Trying, request)
    command = commands.TrySandbox(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
        provider=report.provider,
        realm=report.realm,
        name=report.name,
        number=report.try_,
        note=_safe(report.note) if report.note else None,
    )
    answer = await context.ask(command, TryReply)
    return reply(
        wire.MayTry(
            create_before=rfc3339(answer.create_before),
            create_seconds=CREATE_SECONDS,
            create=answer.create,
        )
    )


async def created(request: Request) -> Response:
    """`POST /jobs/{id}/created`."""
    context, key = await _launcher(request)
    report = await read_as(wire.Created, request)
    command = commands.ReportCreated(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
        sandbox=_sandbox(report.sandbox),
    )
    return await _acknowledge(context, command)


async def done(request: Request) -> Response:
    """`POST /jobs/{id}/done`: first the words of the spool, then what was seen."""
    context, key = await _launcher(request)
    report = await read_as(wire.Done, request, limit=REPORT_LIMIT)
    if report.spool:
        job = await _held(context, key, _job_id(request), report.lease_token)
        if job is not None:
            await submit_spooled(context, report.spool, task_id=job.task_id, attempt=job.attempt)
    command = commands.FinishJob(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
        sandbox=_sandbox(report.sandbox) if report.sandbox else None,
        sandboxes=report.sandboxes or (),
        process=report.process,
        spooled=len(report.spool),
        spool_offset=report.spool_offset,
        diagnosis=_safe(report.diagnosis) if report.diagnosis else None,
    )
    return await _acknowledge(context, command)


async def failed(request: Request) -> Response:
    """`POST /jobs/{id}/failed`."""
    context, key = await _launcher(request)
    report = await read_as(wire.Failed, request)
    command = commands.FailJob(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
        error=_safe_error(report.error),
    )
    return await _acknowledge(context, command)


async def delegate(request: Request) -> Response:
    """`POST /jobs/{id}/delegate`."""
    context, key = await _launcher(request)
    report = await read_as(wire.Delegate, request)
    command = commands.DelegateJob(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
        until=countable(report.until, "$.until"),
        note=_safe(report.note),
    )
    return await _acknowledge(context, command)


async def patch(request: Request) -> Response:
    """`POST /jobs/{id}/patch`: a piece of what the agent changed, which outlives its task."""
    context, key = await _launcher(request)
    report = await read_as(wire.RescuedPiece, request)
    renewal = commands.RenewLease(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
    )
    lease = await context.ask(renewal, LeaseReply)
    if lease.task_id is None or lease.attempt is None:
        raise ApiError("unknown_job", "This job is not about a task.")
    own = await own_texts(context, lease.task_id, lease.attempt)
    piece, data, _ = await kept_piece(report, msgspec.to_builtins(report), own)
    command = commands.RescuePatch(
        job_id=_job_id(request),
        lease_token=report.lease_token,
        key_id=key.id,
        project=served_by(key),
        task_id=lease.task_id,
        attempt=lease.attempt,
        data=data,
        piece=piece,
        body_hash=hashlib.sha256(data + piece.chunk).digest(),
    )
    return await _acknowledge(context, command)


async def ended(request: Request) -> Response:
    """`POST /ended`: processes that the launcher held; those of other gateways are ignored."""
    context, key = await _launcher(request)
    report = await read_as(wire.Ended, request)
    sandboxes = tuple(
        (sandbox.provider, sandbox.realm, sandbox.name)
        for sandbox in report.sandboxes
        if sandbox.instance_id == context.instance_id
    )
    if not sandboxes:
        return reply(wire.Acknowledged())
    command = commands.ReportEnded(sandboxes=sandboxes, project=served_by(key))
    return await _acknowledge(context, command)


async def _held(context: Context, key: ApiKey, job_id: str, lease_token: str) -> LeaseReply | None:
    """The job, if the lease is live: only then may words be older than the tolerance."""
    renewal = commands.RenewLease(
        job_id=job_id, lease_token=lease_token, key_id=key.id, project=served_by(key)
    )
    try:
        return await context.ask(renewal, LeaseReply)
    except Unavailable:
        raise
    except ApiError:
        return None


async def _acknowledge(context: Context, command: commands.Command) -> Response:
    await context.ask(command, Accepted)
    return reply(wire.Acknowledged())


async def _launcher(request: Request) -> tuple[Context, ApiKey]:
    context = context_of(request)
    return context, await authorize(request, context.keys, LAUNCHER)


async def _wait_for_jobs(
    request: Request, context: Context, command: commands.Claim, seconds: float
) -> tuple[ClaimedJob, ...]:
    end = time.monotonic() + seconds
    with context.notifier.listen("jobs") as listener:
        while True:
            asked_at = context.clock()
            answer = await context.ask(command, ClaimReply)
            left = end - time.monotonic()
            if answer.jobs or left <= 0 or context.is_draining():
                return answer.jobs
            await listener.wait(min(left, await _seconds_to_next(context, command, asked_at)))
            # A caller that has died must not be given jobs: they would sit out a whole lease.
            if await request.is_disconnected():
                return ()


async def _seconds_to_next(context: Context, command: commands.Claim, asked_at: int) -> float:
    """Counted from the question: what came due while it was answered is not waited for."""
    at = await context.reads.next_claimable(command.providers, asked_at, command.project)
    return 30.0 if at is None else max(0.01, (at - context.clock()) / 1000)


async def _readable_job(context: Context, claimed: ClaimedJob) -> wire.Job | None:
    """The job, or nothing if its secrets cannot be opened: that job alone fails, and for good."""
    try:
        return await _job(context, claimed)
    except (UnknownKey, Unreadable) as exc:
        error = wire.LaunchError(
            code="env_unreadable", message=f"Its secrets cannot be opened: {exc}.", retryable=False
        )
        job = claimed.job
        await context.submit(commands.FailJob(job_id=job.id, lease_token=job.token, error=error))
        return None


async def _job(context: Context, claimed: ClaimedJob) -> wire.Job:
    job, task, attempt = claimed.job, claimed.task, claimed.attempt
    bare = wire.Job(
        id=job.id,
        kind=job.kind,
        lease_token=job.token,
        lease_expires_at=rfc3339(job.lease_expires_at or context.clock()),
        lease_seconds=context.lease_seconds,
        instance_id=context.instance_id,
        labels={INSTANCE: context.instance_id},
    )
    if job.stray is not None:
        return _stray_job(bare, job, job.stray)
    if task is None or attempt is None:
        place = wire.JobSandbox(name="", provider=job.provider, realm=job.realm)
        return msgspec.structs.replace(bare, sandbox=place)
    sandbox = attempt.sandbox
    return msgspec.structs.replace(
        bare,
        task_id=task.id,
        attempt=attempt.number,
        sandbox=wire.JobSandbox(
            name=sandbox.name if sandbox else sandbox_name(task.id, attempt.number),
            id=sandbox.id if sandbox else None,
            provider=attempt.provider or job.provider,
            realm=attempt.realm if attempt.realm is not None else job.realm,
        ),
        snapshot=task.snapshot,
        labels=labels(context.instance_id, task.id, attempt.number),
        env=await _env(context, claimed),
        spool_offset=attempt.spool_offset,
        rescue=job.kind == "destroy" and await needs_rescue(context.reads, attempt),
    )


def _stray_job(bare: wire.Job, job: Job, stray: OrphanSandbox) -> wire.Job:
    """A sandbox of which only the labels are known."""
    task_id, attempt = owner(stray.labels)
    return msgspec.structs.replace(
        bare,
        task_id=task_id or None,
        attempt=attempt or None,
        sandbox=wire.JobSandbox(
            name=stray.name, id=stray.id, provider=job.provider, realm=job.realm
        ),
        labels={name: text for name, text in stray.labels.items() if name in LABELS},
        spool_offset=stray.spool_offset,
    )


async def _env(context: Context, claimed: ClaimedJob) -> dict[str, str]:
    task, attempt = claimed.task, claimed.attempt
    if claimed.job.kind != "create" or task is None or attempt is None:
        return {}
    spec = await context.reads.spec(task.id)
    if spec is None:
        return {}
    secrets = await context.reads.secrets(task.id)
    resumed = await resumable_patch(context.reads, task.id, attempt.number)
    return launch_env(
        context.keyring,
        context.public_url,
        (task, attempt),
        spec,
        secrets,
        may_resume=resumed is not None,
    )


def _safe_error(error: wire.LaunchError) -> wire.LaunchError:
    tail = error.stderr_tail
    return msgspec.structs.replace(
        error, message=_safe(error.message), stderr_tail=_safe(tail) if tail else None
    )


def _safe(text: str) -> str:
    """What a provider or its command said, as it may be kept and shown."""
    return plain(redact(text))


def _pair(provider: str) -> tuple[str, str]:
    name, _, realm = provider.partition("@")
    return name, realm


def _sandbox(sandbox: wire.Sandbox) -> Sandbox:
    return Sandbox(
        id=sandbox.id,
        name=sandbox.name,
        provider=sandbox.provider,
        realm=sandbox.realm,
        snapshot=sandbox.snapshot,
        state=sandbox.state,
    )


def _job_id(request: Request) -> str:
    job_id: str = request.path_params["job_id"]
    return job_id
